// SPDX-License-Identifier: GPL-2.0-only

//! Chromium, and tabs in it: the DevTools protocol over a pipe, which needs no port, and ends the
//! browser when it is closed.

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use std::{
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Long, for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is not there without `CHROMIUM` or one of these on the `PATH`.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// A browser with nothing in it, and nothing kept of it.
pub(crate) struct Browser {
    child: Child,
    commands: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What was said while something else was waited for.
    events: Vec<Value>,
    last_id: u64,
    profile: PathBuf,
}

impl Browser {
    /// Starts one that keeps what it has to keep in `profile`, which is emptied.
    pub(crate) fn start(profile: &Path) -> Result<Self> {
        let program = program()?;
        if profile.exists() {
            std::fs::remove_dir_all(profile)?;
        }
        std::fs::create_dir_all(profile)?;
        // The protocol is spoken on descriptors 3 and 4: a shell moves the pipes there.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
                "sh",
            ])
            .arg(&program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let commands = child.stdin.take();
        let (sender, messages) = channel();
        let replies: BufReader<ChildStdout> =
            BufReader::new(child.stdout.take().context("no pipe from the browser")?);
        thread::spawn(move || {
            for message in replies.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            commands,
            messages,
            events: Vec::new(),
            last_id: 0,
            profile: profile.to_owned(),
        })
    }

    /// An empty tab, which is told of everything that goes on in it.
    pub(crate) fn tab(&mut self) -> Result<Tab<'_>> {
        let target = self.command(None, "Target.createTarget", json!({ "url": "about:blank" }))?;
        let target = text(&target["targetId"])?;
        let attach = json!({ "targetId": target, "flatten": true });
        let session = self.command(None, "Target.attachToTarget", attach)?;
        let session = text(&session["sessionId"])?;
        let mut tab = Tab {
            browser: self,
            target,
            session,
        };
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            tab.command(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(tab)
    }

    fn command(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        let commands = self.commands.as_mut().context("the browser has ended")?;
        commands.write_all(command.to_string().as_bytes())?;
        commands.write_all(&[0])?;
        commands.flush()?;
        loop {
            let mut message = self.receive(method)?;
            if message["id"] != id {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                bail!("{method}: {}", message["error"]);
            }
        }
    }

    fn receive(&mut self, waiting_for: &str) -> Result<Value> {
        self.messages
            .recv_timeout(PATIENCE)
            .map_err(|error| anyhow!("waiting for {waiting_for}: the browser is silent: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends itself when nobody commands it.
        self.commands = None;
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The browser of this machine.
fn program() -> Result<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Ok(named.into());
    }
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .flat_map(|dir| NAMES.map(|name| dir.join(name)))
        .find(|program| program.is_file())
        .context(
            "there is no Chromium on the PATH; get it, as root, with\n    \
             apt-get install --no-install-recommends chromium\n\
             or name another one: CHROMIUM=/path/to/it",
        )
}

/// A tab, closed in the end.
pub(crate) struct Tab<'a> {
    browser: &'a mut Browser,
    target: String,
    session: String,
}

impl Tab<'_> {
    pub(crate) fn command(&mut self, method: &str, params: Value) -> Result<Value> {
        self.browser.command(Some(&self.session), method, params)
    }

    /// Opens a page, and waits until it is there.
    pub(crate) fn open(&mut self, url: &str) -> Result<()> {
        // From another page: from the same one it would only be another part of it.
        for url in ["about:blank", url] {
            let before = self.loaded();
            self.command("Page.navigate", json!({ "url": url }))?;
            while self.loaded() == before {
                let message = self.browser.receive("a page to load")?;
                self.browser.events.push(message);
            }
        }
        Ok(())
    }

    /// How many pages were loaded here.
    fn loaded(&self) -> usize {
        let events = self.events();
        let loaded = events
            .iter()
            .filter(|event| event["method"] == "Page.loadEventFired");
        loaded.count()
    }

    /// What an expression comes to in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Result<Value> {
        let params = json!({
            "expression": expression,
            "returnByValue": true,
            "awaitPromise": true,
        });
        let mut result = self.command("Runtime.evaluate", params)?;
        if !result["exceptionDetails"].is_null() {
            bail!("{expression}: {}", result["exceptionDetails"]);
        }
        Ok(result["result"]["value"].take())
    }

    /// Presses a key, by its name in `KeyboardEvent.key`.
    pub(crate) fn key(&mut self, key: &str) -> Result<()> {
        self.key_with(key, false)
    }

    /// Presses a key, while shift is held or not.
    pub(crate) fn key_with(&mut self, key: &str, shift: bool) -> Result<()> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => bail!("no key {key}"),
        };
        let mut params = json!({
            "key": key,
            "code": key,
            "windowsVirtualKeyCode": code,
            "modifiers": if shift { 8 } else { 0 },
        });
        if key == "Enter" {
            params["text"] = json!("\r");
        }
        for kind in ["keyDown", "keyUp"] {
            params["type"] = json!(kind);
            self.command("Input.dispatchKeyEvent", params.clone())?;
        }
        Ok(())
    }

    /// Clicks on an element, at a part of its width.
    pub(crate) fn click_at(&mut self, selector: &str, part: f64) -> Result<()> {
        let place = self.eval(&format!(
            "(() => {{ const element = document.querySelector({selector:?}); \
             element.scrollIntoView({{ block: 'nearest' }}); \
             const {{ x, y, width, height }} = element.getBoundingClientRect(); \
             return [x + width * {part}, y + height / 2]; }})()"
        ))?;
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let params = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.command("Input.dispatchMouseEvent", params)?;
        }
        Ok(())
    }

    pub(crate) fn click(&mut self, selector: &str) -> Result<()> {
        self.click_at(selector, 0.5)
    }

    /// A window of that size.
    pub(crate) fn size(&mut self, width: u32, height: u32) -> Result<()> {
        let params = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", params)?;
        Ok(())
    }

    /// The medium, and what its user prefers: `[("prefers-color-scheme", "dark")]`.
    pub(crate) fn media(&mut self, media: &str, features: &[(&str, &str)]) -> Result<()> {
        let features: Vec<_> = features
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let params = json!({ "media": media, "features": features });
        self.command("Emulation.setEmulatedMedia", params)?;
        Ok(())
    }

    /// A picture of the window, in PNG, in Base64.
    pub(crate) fn screenshot(&mut self) -> Result<String> {
        text(&self.command("Page.captureScreenshot", json!({}))?["data"])
    }

    /// What the page said on the console, and what was said of it there.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let said = self.events().into_iter().filter(|event| {
            matches!(
                event["method"].as_str(),
                Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded")
            )
        });
        said.map(|event| event["params"].to_string()).collect()
    }

    /// The addresses that were asked for.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        let sent = self
            .events()
            .into_iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| text(&event["params"]["request"]["url"]).ok())
            .collect()
    }

    /// All that has happened in this tab.
    fn events(&self) -> Vec<Value> {
        let events = self.browser.events.iter();
        events
            .filter(|event| event["sessionId"] == self.session.as_str())
            .cloned()
            .collect()
    }
}

impl Drop for Tab<'_> {
    fn drop(&mut self) {
        let close = json!({ "targetId": self.target });
        let _ = self.browser.command(None, "Target.closeTarget", close);
        self.browser.events.clear();
    }
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().context("the browser left something out")?;
    Ok(text.to_owned())
}
