// SPDX-License-Identifier: GPL-2.0-only

//! The questions of `nsproxy explain` and `nsproxy check`: their options, and the calls that they ask
//! about.

use crate::{
    asked::{Asked, Entry, Format},
    creation::{Creation, CreationArgs},
    dry_run,
    explainer::{Answer, ViaArg},
    from_process::FromProcess,
    open,
    plan::{Call, Plan, Turn},
    request::Request,
    target_args::{TargetArgs, usage},
};
use anyhow::Result;
use nsproxy_diagnose::explain;

/// The description of `--from` and `--json` in the help of commands.
pub(crate) const HELP: &str = "\
With --from, the process or thread PID would make the calls.
They are predicted from its present state, and not tried.
nsproxy opens the files and targets: /proc/self is that of
nsproxy. nsproxy explain prints what is assumed, and what is
not visible. After a call that enters a user namespace,
others cannot be predicted.";

/// The options of a question.
#[derive(Debug, clap::Args)]
pub(crate) struct AskArgs {
    #[command(flatten)]
    target_args: TargetArgs,

    #[command(flatten)]
    creation_args: CreationArgs<true>,

    #[command(flatten)]
    via: ViaArg,

    /// Predict the calls of this process [default: nsproxy's]
    #[arg(
        long,
        value_name = "PID",
        value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with_all = ["all", "as_of_2011"]
    )]
    from: Option<u32>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl AskArgs {
    /// Asks about each call, and prints the answers.
    ///
    /// # Errors
    ///
    /// A usage error; the module does not answer; a file cannot be opened, unless the format is one that
    /// reports it.
    pub(crate) fn ask(mut self, format: Format) -> Result<Asked> {
        if self.from.is_some() && self.via.is_kernel_module() {
            let message = "--from needs --via user-space: the module explains its caller only";
            return Err(usage(message).into());
        }
        let creation = self.creation_args.creation(&self.target_args)?;
        let mut asked = Asked::new(format);
        match self.ask_all(creation, &mut asked) {
            Ok(()) => {}
            Err(error) => match error.downcast::<open::Failed>() {
                Ok(failed) if format == Format::Lines => return Err(failed.into()),
                Ok(failed) => {
                    eprintln!("nsproxy: {failed}");
                    asked.add(Entry::not_opened(&failed));
                }
                Err(error) => return Err(error),
            },
        }
        asked.finish();
        Ok(asked)
    }

    fn ask_all(&mut self, creation: Option<Creation>, asked: &mut Asked) -> Result<()> {
        if let Some(pid) = self.from {
            let from = FromProcess::open(pid)?;
            match creation {
                Some(creation) => {
                    let request = Request::Creation(creation);
                    asked.add(Entry::new(&request, &predict(&from, &request), &from.task));
                }
                None => {
                    let plan = self.target_args.plan();
                    let plan = plan.map_err(|error| from.cannot_open(error))?;
                    predict_plan(&plan, &from, asked)?;
                }
            }
            asked.set_from(from);
            return Ok(());
        }
        match creation {
            Some(creation) => {
                let explainer = self.via.open(false)?;
                asked.set_source(&explainer);
                let answer = creation.explain(&explainer)?;
                asked.add(Entry::of_current(&Request::Creation(creation), &answer));
                Ok(())
            }
            None => self.ask_plan(asked),
        }
    }

    /// Asks about calls of setns(2), each in the state that the calls before it leave.
    fn ask_plan(&mut self, asked: &mut Asked) -> Result<()> {
        let plan = self.target_args.plan()?;
        let as_of_2011 = self.target_args.as_of_2011;
        let explainer = self.via.open(as_of_2011)?;
        asked.set_source(&explainer);
        self.target_args.report_nothing();
        let mut left: Vec<_> = plan.calls().collect();
        plan.dry_run(&explainer, as_of_2011, |turn, how| {
            let Turn { call, file, .. } = turn;
            let answer = dry_run::explain(&explainer, call, file, how)?;
            let entry = Entry::of_current(&Request::Setns { call, file }, &answer);
            add_turn(asked, &mut left, turn, entry);
            Ok(answer.refusal())
        })?;
        add_left(asked, left);
        Ok(())
    }
}

/// Adds the answer about a call. Removes the call from those that are `left`, unless it is made again.
fn add_turn(asked: &mut Asked, left: &mut Vec<&Call>, turn: Turn<'_>, entry: Entry) {
    match turn.is_retried && entry.failed_with().is_some() {
        true => asked.add(entry.retried()),
        false => {
            asked.add(entry);
            left.retain(|other| *other != turn.call);
        }
    }
}

/// Adds the calls that are not made.
fn add_left(asked: &mut Asked, left: Vec<&Call>) {
    for call in left {
        asked.add(Entry::not_made(call));
    }
}

fn predict(from: &FromProcess, request: &Request<'_>) -> Answer {
    Answer::from(explain(&from.task, request.as_call()))
}

/// Predicts calls of setns(2). Calls that enter no user namespace leave the credentials, which decide
/// the next ones. After one that does, nothing is known.
fn predict_plan(plan: &Plan, from: &FromProcess, asked: &mut Asked) -> Result<()> {
    let mut left: Vec<_> = plan.calls().collect();
    let mut has_entered_user_ns = false;
    plan.execute(|turn| {
        let Turn { call, file, .. } = turn;
        if has_entered_user_ns {
            add_turn(asked, &mut left, turn, Entry::unpredictable(call));
            return Ok(None);
        }
        let request = Request::Setns { call, file };
        let answer = predict(from, &request);
        let entry = Entry::new(&request, &answer, &from.task);
        add_turn(asked, &mut left, turn, entry);
        has_entered_user_ns |= call.enters_user();
        Ok(answer.refusal())
    })?;
    add_left(asked, left);
    Ok(())
}
