// SPDX-License-Identifier: GPL-2.0-only

//! Chromium, driven by the DevTools protocol over a pipe. It exits when the pipe is closed.

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// Long enough for a busy host.
const TIMEOUT: Duration = Duration::from_secs(120);

const OPTIONS: [&str; 7] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
];

/// A browser with one tab and an empty profile.
pub(crate) struct Browser {
    child: Child,
    commands: Option<ChildStdin>,
    messages: Receiver<Value>,
    events: Vec<Value>,
    session: Value,
    last_id: u64,
}

impl Browser {
    /// Starts the browser with a new profile.
    pub(crate) fn start(profile: &Path) -> Result<Self> {
        if profile.exists() {
            fs::remove_dir_all(profile)?;
        }
        fs::create_dir_all(profile)?;
        let program = program()?;
        // The protocol uses the descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
            ])
            .arg(&program)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take();
        let replies = BufReader::new(child.stdout.take().context("no pipe")?);
        let (sender, messages) = channel();
        thread::spawn(move || {
            let replies = replies.split(0).map_while(Result::ok);
            let mut parsed = replies.map_while(|reply| serde_json::from_slice(&reply).ok());
            while parsed
                .next()
                .is_some_and(|message| sender.send(message).is_ok())
            {}
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            events: Vec::new(),
            session: Value::Null,
            last_id: 0,
        };
        let target = browser.command("Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", attach)?;
        browser.session = attached["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log"] {
            browser.command(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    fn command(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if !self.session.is_null() {
            command["sessionId"] = self.session.clone();
        }
        let pipe = self.commands.as_mut().context("the pipe is closed")?;
        pipe.write_all(format!("{command}\0").as_bytes())?;
        loop {
            let mut message = self.receive(method)?;
            if message["id"] != self.last_id {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                bail!("{method}: {}", message["error"]);
            }
        }
    }

    fn receive(&mut self, awaited: &str) -> Result<Value> {
        let message = self.messages.recv_timeout(TIMEOUT);
        message.map_err(|error| anyhow!("no reply to {awaited}: {error}"))
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) -> Result<()> {
        // The same page with another fragment would not be loaded again.
        for url in ["about:blank", url] {
            let is_load = |event: &Value| event["method"] == "Page.loadEventFired";
            let loads = self.events.iter().filter(|event| is_load(event)).count();
            self.command("Page.navigate", json!({ "url": url }))?;
            while self.events.iter().filter(|event| is_load(event)).count() == loads {
                let message = self.receive("Page.navigate")?;
                self.events.push(message);
            }
        }
        Ok(())
    }

    /// Evaluates an expression in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut result = self.command("Runtime.evaluate", params)?;
        if !result["exceptionDetails"].is_null() {
            bail!("{expression}: {}", result["exceptionDetails"]);
        }
        Ok(result["result"]["value"].take())
    }

    /// Evaluates an expression until it has a value, since a click on a link takes effect later.
    /// Returns the last value.
    pub(crate) fn eval_until(&mut self, expression: &str, wanted: &Value) -> Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let value = self.eval(expression)?;
            if value == *wanted || Instant::now() > deadline {
                return Ok(value);
            }
        }
    }

    /// Presses a key, by its name in `KeyboardEvent.key`.
    pub(crate) fn key(&mut self, key: &str) -> Result<()> {
        for event in ["keyDown", "keyUp"] {
            let params = json!({ "type": event, "key": key, "code": key });
            self.command("Input.dispatchKeyEvent", params)?;
        }
        Ok(())
    }

    /// Sets the size of the page's view.
    pub(crate) fn size(&mut self, width: u32, height: u32) -> Result<()> {
        let params = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", params)?;
        Ok(())
    }

    /// Shows the page as it is printed, or as on a screen.
    pub(crate) fn print(&mut self, is_printed: bool) -> Result<()> {
        let media = if is_printed { "print" } else { "" };
        self.command("Emulation.setEmulatedMedia", json!({ "media": media }))?;
        Ok(())
    }

    /// Returns the exceptions and the messages on the console.
    pub(crate) fn errors(&self) -> Vec<&Value> {
        let methods = [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ];
        let is_error = |event: &&Value| methods.iter().any(|method| event["method"] == *method);
        self.events.iter().filter(is_error).collect()
    }
}

/// Returns `CHROMIUM`, or else the Chromium that is installed: the browser, or the part of it that
/// has no window.
fn program() -> Result<PathBuf> {
    if let Some(program) = env::var_os("CHROMIUM") {
        return Ok(program.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let programs = ["chromium", "chromium-headless-shell"];
    let mut places = programs
        .iter()
        .flat_map(|program| env::split_paths(&path).map(move |dir| dir.join(program)));
    let found = places.find(|place| place.exists());
    found.context("no Chromium; hint: make doctor prints how to get it")
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.child.wait();
    }
}
