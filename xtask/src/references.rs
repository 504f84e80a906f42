//! References generated from the program: docs/cli.md, docs/configuration.md, docs/config.schema.json.

use std::fmt::Write as _;

use albumen_schema::Config;
use albumen_schema::config::{allowed, resolve};
use clap::{Command, CommandFactory};
use serde_json::Value;

use crate::generate::NOTE;

/// Each file's name and text.
pub(crate) fn files() -> anyhow::Result<Vec<(&'static str, String)>> {
    let schema = serde_json::to_value(schemars::schema_for!(Config))?;
    Ok(vec![
        ("docs/cli.md", cli()),
        ("docs/configuration.md", configuration(&schema)),
        (
            "docs/config.schema.json",
            format!("{}\n", serde_json::to_string_pretty(&schema)?),
        ),
    ])
}

fn cli() -> String {
    let mut text = format!("{NOTE}# Command line\n\n");
    text.push_str(
        "Exit codes: 0 done, 1 the check or run failed, 2 bad arguments or configuration. \
         With `--json` one JSON object goes to stdout; everything for people goes to stderr.\n",
    );
    let mut command = albumen_cli::args::Cli::command().term_width(90);
    command.build();
    for sub in command.get_subcommands_mut() {
        write_command(&mut text, sub);
    }
    text
}

fn write_command(text: &mut String, command: &mut Command) {
    if command.get_name() == "help" {
        return;
    }
    let nested: Vec<Command> = command
        .get_subcommands()
        .filter(|c| c.get_name() != "help")
        .cloned()
        .collect();
    if nested.is_empty() {
        let help = command.render_long_help().to_string();
        let name = command.get_bin_name().unwrap_or_default().to_owned();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n"));
    }
    for mut sub in nested {
        write_command(text, &mut sub);
    }
}

fn configuration(schema: &Value) -> String {
    let mut text = format!("{NOTE}# Configuration\n\n");
    text.push_str(
        "TOML, one table a stage. Unknown keys are errors. A key without a default must be \
         given.\n",
    );
    write_table(&mut text, schema, schema, "");
    text
}

fn write_table(text: &mut String, root: &Value, table: &Value, path: &str) {
    let heading = if path.is_empty() {
        "Top level".to_owned()
    } else {
        format!("[{path}]")
    };
    let _ = write!(
        text,
        "\n## {heading}\n\n| key | type | range | default | |\n|---|---|---|---|---|\n"
    );
    let required: Vec<&str> = table["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut nested = Vec::new();
    for (key, value) in table["properties"].as_object().into_iter().flatten() {
        let target = resolve(root, value);
        let words = [value, target]
            .iter()
            .find_map(|v| v["description"].as_str())
            .unwrap_or_default()
            .replace('\n', " ")
            .replace('|', "\\|");
        if target["properties"].is_object() {
            let name = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            nested.push((name, target));
            continue;
        }
        let default = match (&value["default"], required.contains(&key.as_str())) {
            (_, true) => "required".to_owned(),
            (default, false) => format!("`{default}`"),
        };
        let range = [value, target].into_iter().find_map(allowed);
        let range = range.unwrap_or_default().replace('|', "\\|");
        let kind = kind(target);
        let _ = writeln!(text, "| `{key}` | {kind} | {range} | {default} | {words} |");
    }
    for (name, target) in nested {
        write_table(text, root, target, &name);
    }
}

fn kind(schema: &Value) -> String {
    if let Some(choices) = schema["oneOf"].as_array() {
        let names: Vec<String> = choices.iter().filter_map(choice).collect();
        return names.join(", ");
    }
    match &schema["type"] {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    }
}

/// One of several values: a constant, or a table with a constant among its keys.
fn choice(schema: &Value) -> Option<String> {
    if let Some(name) = schema["const"].as_str() {
        return Some(format!("`{name}`"));
    }
    let required: Vec<&str> = schema["required"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let keys: Vec<String> = (required.iter())
        .map(|key| {
            let value = &schema["properties"][key];
            let shown = match value["const"].as_str() {
                Some(name) => format!("\"{name}\""),
                None => value["type"].as_str().unwrap_or_default().to_owned(),
            };
            format!("{key} = {shown}")
        })
        .collect();
    Some(format!("`{{ {} }}`", keys.join(", ")))
}
