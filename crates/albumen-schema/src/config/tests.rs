use super::*;

const GOOD: &str = include_str!("sample.toml");

fn message(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is not in the sample");
    Config::parse("c.toml", &GOOD.replacen(from, to, 1))
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn a_resolved_configuration_reads_back_the_same() {
    let config = Config::parse("c.toml", GOOD).expect("valid");
    let again = Config::parse("run.toml", &config.to_toml().expect("toml")).expect("valid");
    assert_eq!(config, again);
}

#[test]
fn unknown_keys_name_the_nearest_and_the_place() {
    let text = message("epsilon = 8.0", "epsilom = 8.0");
    assert!(
        text.starts_with("c.toml:8:1: unknown field `epsilom`"),
        "{text}"
    );
    assert!(text.ends_with("did you mean `epsilon`?"), "{text}");
}

#[test]
fn the_unit_has_no_default() {
    let text = message("unit = \"owner\"\n", "");
    assert!(text.contains("missing field `unit`"), "{text}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a case is a line or two")]
fn values_out_of_range_point_at_the_value() {
    for (from, to, starts) in [
        (
            "epsilon = 8.0",
            "epsilon = 0.0",
            "c.toml:8:11: `privacy.epsilon`",
        ),
        (
            "epsilon = 8.0",
            "epsilon = nan",
            "c.toml:8:11: `privacy.epsilon`",
        ),
        (
            "delta = 1e-5",
            "delta = 0.01",
            "c.toml:9:9: `privacy.delta`",
        ),
        ("delta = 1e-5", "delta = 0.0", "c.toml:9:9: `privacy.delta`"),
        (
            "expected_batch = 100",
            "expected_batch = 601",
            "c.toml:13:18: `train.summary.expected_batch`",
        ),
        (
            "learning_rate = 0.02",
            "learning_rate = 0.02\nclip_norm = -1.0",
            "c.toml:16:13: `train.summary.clip_norm`",
        ),
        (
            "learning_rate = 0.02",
            "learning_rate = 0.02\nema_decay = 1.0",
            "c.toml:16:13: `train.summary.ema_decay`",
        ),
        (
            "[train.summary]",
            "[train.public]\npath = \"p.jsonl\"\nsource = \" \"\n[train.summary]",
            "c.toml:14:10: `train.public.source`",
        ),
        ("name = \"test\"", "name = \"../x\"", "c.toml:1:8: `name`"),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[render]\nmodel = \"oil\"",
            "c.toml:6:9: `render.model`",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[render]\nmodel = \"path:sd\"\nwidth = 500",
            "c.toml:7:9: `render.width`",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[render]\nalbum_noise = 1.5",
            "c.toml:6:15: `render.album_noise`",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[render]\nguidance = -1",
            "c.toml:6:12: `render.guidance`",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[caption]\nmodel = \"blip\"",
            "c.toml:6:9: `caption.model` is `blip`, which names no captioner",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[caption]\nmin_tokens = 50",
            "c.toml:6:14: `caption.min_tokens`",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[caption]\ntemperature = -1.0",
            "c.toml:6:15: `caption.temperature`",
        ),
        (
            "[generate]",
            "[release]\nalbum_count_epsilon = -0.1\n[generate]",
            "c.toml:23:23: `release.album_count_epsilon`",
        ),
        (
            "path = \"albums\"",
            "path = \"albums\"\n[caption]\nmodel = \"endpoint:http://u:s3cret@h/v1\"",
            "c.toml:6:9: `caption.model` names no server: a server's name must hold no user",
        ),
        (
            "[train.summary]",
            "[train]\nmodel = \"endpoint:http://u:s3cret@h/v1\"\n[train.summary]",
            "c.toml:13:9: `train.model` is `endpoint:http:`, which names no model",
        ),
        (
            "[generate]",
            "[endpoint]\nconcurrency = 0\n[generate]",
            "c.toml:23:15: `endpoint.concurrency` is 0",
        ),
        (
            "[generate]",
            "[endpoint]\napi_key_env = \"sk-s3cret\"\n[generate]",
            "c.toml:23:15: `endpoint.api_key_env` is no name",
        ),
        (
            "[generate]",
            "[release]\nalbum_size_bins = [1, 4, 4]\n[generate]",
            "c.toml:23:19: `release.album_size_bins`",
        ),
    ] {
        let text = message(from, to);
        assert!(text.starts_with(starts), "{to}: {text}");
        assert!(
            text.contains("hint: ") && !text.contains("s3cret"),
            "{text}"
        );
    }
}

#[test]
fn broken_toml_says_where() {
    let text = message("epsilon = 8.0", "epsilon = ");
    assert!(text.starts_with("c.toml:8:"), "{text}");
}
