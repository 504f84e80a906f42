use super::*;

pub(super) const GOOD: &str = include_str!("sample.toml");

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
            "c.toml:23:15: `endpoint.api_key_env` is not of the form",
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

/// The configuration with these changes in place of a part of the sample.
fn reads(from: &str, to: &str) -> bool {
    assert!(GOOD.contains(from), "{from} is not in the sample");
    Config::parse("c.toml", &GOOD.replacen(from, to, 1)).is_ok()
}

#[test]
fn rules_between_keys_hold_up_to_their_bounds() {
    let bound = 1.0_f64 / 600.0;
    let delta = |delta: f64| reads("delta = 1e-5", &format!("delta = {delta:?}"));
    assert!(delta(bound.next_down()) && !delta(bound));
    let batch = |n: u64| reads("expected_batch = 100", &format!("expected_batch = {n}"));
    assert!(batch(600) && !batch(601));
    let decay = |decay: f64| {
        let rate = "learning_rate = 0.02";
        reads(rate, &format!("{rate}\nweight_decay = {decay:?}"))
    };
    assert!(decay(49.9) && !decay(50.0));
    for key in [
        "album_count_epsilon",
        "album_sizes_epsilon",
        "topic_histogram_epsilon",
    ] {
        let epsilon = |e: &str| reads("[generate]", &format!("[release]\n{key} = {e}\n[generate]"));
        assert!(
            epsilon("0.0") && epsilon("1e-6") && !epsilon("9e-7"),
            "{key}"
        );
    }
    let bins = |bins: &str| {
        let bins = format!("[release]\nalbum_size_bins = {bins}\n[generate]");
        reads("[generate]", &bins)
    };
    assert!(bins("[3]") && bins("[1, 2]") && !bins("[2, 1]") && !bins("[2, 2]"));
    let topics = |n: usize| {
        let topics = format!("[topics]\nclusters = 4\nsamples = {n}\n[generate]");
        reads("[generate]", &topics)
    };
    assert!(topics(20) && !topics(19));
    let tokens = |n: usize| {
        let tokens = format!("[caption]\nmax_tokens = 20\nmin_tokens = {n}\n[generate]");
        reads("[generate]", &tokens)
    };
    assert!(tokens(20) && !tokens(21));
    let width = |model: &str, side: &str| {
        let render = format!("[render]\nmodel = \"{model}\"\n{side}\n[generate]");
        reads("[generate]", &render)
    };
    for side in ["width = 500", "height = 500"] {
        assert!(width("illustration", side));
        assert!(width("endpoint:http://localhost:1/v1#m", side));
        assert!(!width("path:sd", side) && !width("hub:a/b@c", side));
    }
    assert!(width("path:sd", "width = 504"));
}

#[test]
fn every_table_of_a_training_is_checked() {
    let album = |batch: u64| {
        let table = format!(
            "[train.album]\nexpected_batch = {batch}\nsteps = 1\nlearning_rate = 0.1\n[generate]"
        );
        reads("[generate]", &table)
    };
    assert!(album(600) && !album(601));
    let text = GOOD.replace(
        "[train.caption]\nexpected_batch = 100",
        "[train.caption]\nexpected_batch = 601",
    );
    let error = Config::parse("c.toml", &text).unwrap_err().to_string();
    assert!(
        error.contains("`train.caption.expected_batch` gives"),
        "{error}"
    );
}

#[test]
fn models_are_named_in_the_forms_that_each_stage_takes() {
    let named = |table: &str, key: &str, model: &str| {
        let table = format!("[{table}]\n{key} = \"{model}\"\n[train.summary]");
        reads("[train.summary]", &table)
    };
    let endpoint = "endpoint:http://localhost:1/v1#m";
    for (table, own, served) in [
        ("caption", "asset:efficientnet-lite0", true),
        ("summarize", "asset:smollm2-135m-instruct", true),
        ("train", "asset:smollm2-135m-instruct", false),
        ("render", "illustration", true),
    ] {
        assert!(named(table, "model", own), "{table}");
        assert!(named(table, "model", "path:dir"), "{table}");
        assert!(named(table, "model", "hub:owner/name@main"), "{table}");
        assert_eq!(named(table, "model", endpoint), served, "{table}");
        for wrong in [
            "",
            "path:",
            "hub:",
            "hub:name",
            "asset:other",
            "endpoint:http://",
        ] {
            assert!(!named(table, "model", wrong), "{table}: {wrong}");
        }
    }
}

#[test]
fn a_number_that_its_type_cannot_hold_names_the_key() {
    let text = message("declared_units = 600", "declared_units = -1");
    assert_eq!(
        text,
        "c.toml:10:18: `privacy.declared_units` is -1\n  hint: use 1 to 1,000,000,000,000"
    );
    // What is wrong in another way than by its range keeps its own words.
    let text = message("declared_units = 600", "declared_units = 1.5");
    assert!(text.contains("invalid type: floating point"), "{text}");
}

#[test]
fn a_kept_configuration_reads_whatever_its_ranges() {
    let text = GOOD.replacen("[generate]", "[generate]\nmax_photos = 5000", 1);
    let error = Config::parse("run.toml", &text).unwrap_err().to_string();
    assert!(error.contains("`generate.max_photos` is 5000"), "{error}");
    let kept = Config::parse_unchecked("run.toml", &text).unwrap();
    assert_eq!(kept.generate.max_photos, 5000);
    let error = kept.validate().unwrap_err().to_string();
    assert_eq!(
        error,
        "configuration: `generate.max_photos` is 5000\n  hint: use 1 to 4095"
    );
    assert!(Config::parse_unchecked("run.toml", "name = 1").is_err());
    assert!(Config::parse("c.toml", GOOD).unwrap().validate().is_ok());
}

#[test]
fn topics_are_wanted_by_a_histogram_or_a_quota() {
    let wanted = |tables: &str| {
        let text = GOOD.replacen("[generate]", &format!("{tables}\n[generate]"), 1);
        Config::parse("c.toml", &text).unwrap().wants_topics()
    };
    let (histogram, quota) = (
        "[release]\ntopic_histogram_epsilon = 0.1",
        "[curate]\nmax_topic_share = 0.5",
    );
    assert!(!wanted(""));
    assert!(wanted(histogram) && wanted(quota));
    assert!(wanted(&format!("{histogram}\n{quota}")));
}

#[test]
fn tuning_runs_of_another_form_say_how_they_are_written() {
    let text = message("epsilon = 8.0", "epsilon = 8.0\ntuning_runs = 5");
    assert!(
        text.contains("hint: write `{ number = \"fixed\", count = 5 }`"),
        "{text}"
    );
    // Another type's message has no such hint.
    let text = message("epsilon = 8.0", "epsilon = \"8\"");
    assert!(!text.contains("hint"), "{text}");
}

#[test]
fn a_table_that_is_missing_has_no_place_of_its_own() {
    let text = message("[generate]\nalbums = 10\n", "");
    assert!(text.contains("missing field `generate`"), "{text}");
}

#[test]
fn defaults_are_those_of_the_reference() {
    let config = Config::parse("c.toml", GOOD).unwrap();
    let of = serde_json::to_value(&config).unwrap();
    for (key, value) in [
        ("/corpus/max_bad_photos", 100.0),
        ("/corpus/max_pixels", 1e8),
        ("/corpus/max_photos_per_album", 12.0),
        ("/privacy/max_albums_per_owner", 4.0),
        ("/privacy/summary_share", 0.5),
        ("/generate/batch", 64.0),
        ("/generate/candidates", 1.0),
        ("/generate/tries", 6.0),
        ("/generate/max_summary_tokens", 64.0),
        ("/generate/max_caption_tokens", 48.0),
        ("/generate/max_photos", 12.0),
        ("/train/lora_rank", 8.0),
        ("/train/lora_alpha", 16.0),
        ("/train/lora_layers", 8.0),
        ("/train/micro_batch_tokens", 2048.0),
        ("/train/checkpoint_seconds", 60.0),
        ("/train/summary/momentum", 0.9),
        ("/train/summary/second_moment_decay", 0.999),
        ("/train/summary/second_moment_floor", 1e-8),
        ("/train/summary/clip_norm", 1.0),
    ] {
        assert_eq!(of.pointer(key).unwrap().as_f64(), Some(value), "{key}");
    }
    let train = &config.train;
    assert_eq!(train.model, "asset:smollm2-135m-instruct");
    assert_eq!(
        (train.preamble.as_str(), train.cache_activations),
        ("none", true)
    );
    assert_eq!(train.lora_targets, LoraTargets::QueryValue);
    assert_eq!(train.preamble_file(), None);
    assert_eq!(train.of_album(), &train.caption);
    let text = GOOD.replacen(
        "[train.summary]",
        "[train]\npreamble = \"path:p.jsonl\"\n[train.public]\npath = \"p\"\nsource = \"s\"\n\
         [train.album]\nexpected_batch = 1\nsteps = 1\nlearning_rate = 1.0\n[train.summary]",
        1,
    );
    let train = Config::parse("c.toml", &text).unwrap().train;
    let public = train.public.as_ref().unwrap();
    assert_eq!(
        (public.batch, public.steps, public.learning_rate),
        (32, 50, 0.002)
    );
    assert_eq!(train.preamble_file(), Some(std::path::Path::new("p.jsonl")));
    assert_eq!(train.of_album().expected_batch, 1);
}

#[test]
fn pictures_depend_on_all_but_speed_and_memory() {
    let fast = RenderConfig {
        batch: 9,
        attention_slice: 9,
        vae_slicing: false,
        ..RenderConfig::default()
    };
    assert_eq!(fast.drawn(), RenderConfig::default());
    let other = RenderConfig {
        steps: 9,
        ..RenderConfig::default()
    };
    assert_eq!(other.drawn(), other);
    assert!(other.is_illustration());
    let model = RenderConfig {
        model: "path:sd".into(),
        ..other
    };
    assert!(!model.is_illustration());
}

#[test]
fn broken_toml_says_where() {
    let text = message("epsilon = 8.0", "epsilon = ");
    assert!(text.starts_with("c.toml:8:"), "{text}");
}
