use serde_json::json;

use super::*;
use crate::config::tests::GOOD;

/// Every table and key that there is, all in range.
fn whole() -> Value {
    let mut config = Config::parse("c.toml", GOOD).unwrap();
    config.train.album = Some(config.train.caption.clone());
    let mut settings = serde_json::to_value(&config).unwrap();
    settings["caption"]["prompt"] = json!("What is this?");
    settings["compute"]["memory_gib"] = json!(24.0);
    settings["train"]["public"] = json!({
        "path": "p.jsonl", "source": "made up", "batch": 2, "steps": 2, "learning_rate": 0.1, "seed": 0
    });
    for table in ["summary", "caption", "album"] {
        settings["train"][table]["ema_decay"] = json!(0.9);
    }
    settings
}

/// The same with each kind of tuning runs.
fn wholes() -> Vec<Value> {
    let kinds = [
        json!({"number": "fixed", "count": 2}),
        json!({"number": "secret_poisson", "mean": 2.0}),
        json!({"number": "secret_negative_binomial", "eta": 1.0, "gamma": 0.5}),
    ];
    let with = |kind| {
        let mut settings = whole();
        settings["privacy"]["tuning_runs"] = kind;
        settings
    };
    kinds.map(with).to_vec()
}

/// The keys of the whole configuration that the schema knows, with the schema of each.
fn keys(settings: &Value) -> Vec<(String, &'static Value)> {
    fn collect(schema: &'static Value, at: &Value, path: &str, keys: &mut Vec<(String, &Value)>) {
        let Value::Object(table) = at else {
            keys.push((path.to_owned(), schema));
            return;
        };
        let target = resolve(&SCHEMA, schema);
        let known = keys_of(target, table).as_object().unwrap();
        for (key, schema) in known {
            let at = table.get(key).unwrap_or_else(|| {
                panic!("the test's configuration lacks `{path}.{key}`: add it to `whole`")
            });
            collect(schema, at, &format!("{path}/{key}"), keys);
        }
    }
    let mut keys = Vec::new();
    collect(&SCHEMA, settings, "", &mut keys);
    keys
}

fn named(path: &str) -> String {
    path[1..].replace('/', ".")
}

/// The numbers of a key's type next to the number, downwards and upwards.
fn neighbours(schema: &Value, bound: &Number) -> [Value; 2] {
    if is_whole(schema) {
        let bound = bound.as_i128().unwrap();
        return [bound - 1, bound + 1].map(|n| json!(Number::from_i128(n).unwrap()));
    }
    let bound = bound.as_f64().unwrap();
    if schema["format"] == "float" {
        let bound = bound as f32;
        return [json!(bound.next_down()), json!(bound.next_up())];
    }
    [json!(bound.next_down()), json!(bound.next_up())]
}

fn is_whole(schema: &Value) -> bool {
    let kinds = [&schema["type"], &schema["type"][0]];
    kinds.iter().any(|kind| **kind == "integer")
}

/// The last numbers within a range and the first ones outside.
fn ends(schema: &Value) -> [(Value, Value); 2] {
    let bound = |name: &str| schema[name].as_number();
    let end = |included: &str, excluded: &str, outwards: usize| {
        if let Some(bound) = bound(excluded) {
            (
                neighbours(schema, bound)[1 - outwards].clone(),
                json!(bound),
            )
        } else {
            let bound = bound(included).unwrap();
            (json!(bound), neighbours(schema, bound)[outwards].clone())
        }
    };
    [
        end("minimum", "exclusiveMinimum", 0),
        end("maximum", "exclusiveMaximum", 1),
    ]
}

#[test]
fn every_number_has_a_range_with_two_ends() {
    let mut found = 0;
    for settings in wholes() {
        for (path, schema) in keys(&settings) {
            if settings.pointer(&path).unwrap().is_number() {
                let has = |names: [&str; 2]| names.iter().any(|n| schema[n].is_number());
                let bounded = has(["minimum", "exclusiveMinimum"]);
                let bounded = bounded && has(["maximum", "exclusiveMaximum"]);
                assert!(bounded, "{}: {schema}", named(&path));
                found += 1;
            }
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn both_ends_of_every_range_are_allowed_and_what_lies_beyond_is_refused() {
    for settings in wholes() {
        assert!(check(&settings).is_ok());
        for (path, schema) in keys(&settings) {
            if !settings.pointer(&path).unwrap().is_number() {
                continue;
            }
            let with = |value: &Value| {
                let mut settings = settings.clone();
                *settings.pointer_mut(&path).unwrap() = value.clone();
                settings
            };
            for (last, first) in ends(schema) {
                let key = named(&path);
                let config: Config = serde_json::from_value(with(&last)).unwrap();
                assert!(check(&config).is_ok(), "{key} = {last}");
                let fault = check(&with(&first)).expect_err(&key);
                assert_eq!(fault.key, key);
                // As a file has it: the error of parsing names the key too.
                let text = toml::to_string(&with(&first)).unwrap_or_default();
                if !text.is_empty() {
                    let error = Config::parse("c.toml", &text).unwrap_err().to_string();
                    assert!(error.contains(&format!("`{key}` is ")), "{error}");
                    assert!(error.starts_with("c.toml:"), "{error}");
                    assert!(error.contains("\n  hint: use "), "{error}");
                }
            }
            assert!(check(&with(&Value::Null)).is_err(), "{path}: not a number");
        }
    }
}

#[test]
fn nan_and_infinity_are_in_no_range() {
    for value in ["nan", "inf", "-inf"] {
        let text = GOOD.replace("epsilon = 8.0", &format!("epsilon = {value}"));
        let error = Config::parse("c.toml", &text).unwrap_err().to_string();
        assert_eq!(
            error,
            "c.toml:8:11: `privacy.epsilon` is not a finite number\n  \
             hint: use more than 0 and at most 700; 1 to 10 is usual"
        );
    }
}

#[test]
fn every_pattern_is_one_and_has_words() {
    let mut found = 0;
    for (path, schema) in keys(&wholes()[0]) {
        if let Some(pattern) = schema["pattern"].as_str() {
            Regex::new(pattern).unwrap();
            found += 1;
        }
        if schema["pattern"].is_string() || schema["items"]["enum"].is_array() {
            assert!(schema["x-form"].is_string(), "{path}");
        }
    }
    assert!(found >= 6, "{found}");
}

#[test]
fn texts_and_lists_are_checked() {
    let refused = |path: &str, value: Value| {
        let mut settings = whole();
        *settings.pointer_mut(path).unwrap() = value;
        let fault = check(&settings).expect_err(path);
        assert_eq!(fault.key, named(path));
        format!("{}; {}", fault.problem, fault.hint)
    };
    let allowed = |path: &str, value: Value| {
        let mut settings = whole();
        *settings.pointer_mut(path).unwrap() = value;
        assert!(check(&settings).is_ok(), "{path}");
    };
    let form = "use 1 to 200 letters, digits, `-`, `_` and `.`, the first of them no `.`";
    assert_eq!(
        refused("/name", json!("../x")),
        format!("is `../x`; {form}")
    );
    assert_eq!(refused("/name", json!("")), format!("is ``; {form}"));
    allowed("/name", json!("a".repeat(200)));
    refused("/name", json!("a".repeat(201)));
    for device in ["cpu", "metal", "cuda", "cuda:0", "cuda:127"] {
        allowed("/compute/device", json!(device));
    }
    for device in ["gpu", "cuda:", "cuda:1234", "cuda:x", "xcpu", "cpux"] {
        refused("/compute/device", json!(device));
    }
    for scheduler in ["", "ddim", "pndm"] {
        allowed("/render/scheduler", json!(scheduler));
    }
    refused("/render/scheduler", json!("lms"));
    refused("/train/preamble", json!("path:"));
    refused("/train/public/source", json!(" \n"));
    refused("/evaluate/embedder", json!("asset:other"));
    // What stands there may be the key itself.
    let secret = refused("/endpoint/api_key_env", json!("sk-s3cret"));
    assert!(!secret.contains("s3cret"), "{secret}");
    assert_eq!(
        refused("/curate/languages", json!(["eng", "xyz"])),
        "holds `xyz`; use ISO 639-3 codes such as eng, deu, fra, spa, or [] for every language"
    );
    allowed("/curate/languages", json!([]));
    let bins = "/release/album_size_bins";
    let range = "use 1 to 1000 items, each 1 to 1,000,000";
    assert_eq!(refused(bins, json!([])), format!("has 0 items; {range}"));
    assert_eq!(refused(bins, json!([0])), format!("holds 0; {range}"));
    refused(bins, json!((1..=1001).collect::<Vec<_>>()));
    allowed(bins, json!((1..=1000).collect::<Vec<_>>()));
    refused(bins, json!([1_000_001]));
}

#[test]
fn ranges_read_well() {
    let said = |schema: Value| allowed(&schema).unwrap();
    assert_eq!(said(json!({"minimum": 1, "maximum": 64})), "1 to 64");
    assert_eq!(
        said(json!({"exclusiveMinimum": 0, "maximum": 1_000_000})),
        "more than 0 and at most 1,000,000"
    );
    assert_eq!(
        said(json!({"minimum": -0.9, "exclusiveMaximum": 1e-12})),
        "at least -0.9 and less than 1e-12"
    );
    assert_eq!(said(json!({"minLength": 1})), "at least 1 characters");
    assert_eq!(
        said(json!({"maxItems": 3, "items": {"minimum": 1e6, "maximum": 2e6}})),
        "at most 3 items, each 1e6 to 2e6"
    );
    assert_eq!(allowed(&json!({"type": "string"})), None);
    assert_eq!(allowed(&json!({"oneOf": [{"const": "a"}]})), None);
    let of_config = &SCHEMA["$defs"]["PrivacyConfig"]["properties"]["tuning_runs"];
    assert_eq!(
        said(resolve(&SCHEMA, of_config).clone()),
        "`count` 1 to 1000, `mean` 0.1 to 10,000, `eta` -0.9 to 100, `gamma` 0.0001 to 0.9999"
    );
    let float = json!({"format": "float"});
    let numbers = [
        json!(0.1_f32),
        json!(-12_345),
        json!(1234),
        json!(0.0),
        json!(9.5e-5),
    ];
    let read = numbers.map(|n| read(&float, n.as_number().unwrap()));
    assert_eq!(read, ["0.1", "-12,345", "1234", "0", "9.5e-5"]);
    let large = json!(i64::MAX);
    let read = super::read(&json!({}), large.as_number().unwrap());
    assert_eq!(read, "9,223,372,036,854,775,807");
}

#[test]
fn whole_numbers_compare_exactly_and_minus_zero_is_zero() {
    let number = |v: Value| v.as_number().unwrap().clone();
    let of = |a: Value, b: Value| order(&number(a), &number(b));
    assert_eq!(
        of(json!(i64::MAX), json!(i64::MAX as u64 + 1)),
        Ordering::Less
    );
    assert_eq!(of(json!(-0.0), json!(0)), Ordering::Equal);
    assert_eq!(of(json!(0.5), json!(1)), Ordering::Less);
}

#[test]
fn unicode_is_asked_of_paths() {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        let mut config = Config::parse("c.toml", GOOD).unwrap();
        config.corpus.path = std::ffi::OsString::from_vec(vec![0xff]).into();
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("Unicode"), "{error}");
    }
}
