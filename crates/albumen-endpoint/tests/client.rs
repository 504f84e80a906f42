//! The client against a server that behaves, and against all the ways in which one may not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails by panicking"
)]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use albumen_endpoint::{
    Backoff, Client, EndpointConfig, EndpointError, PictureRequest, Problem, Role, Turn, data_url,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;
use server::{Play, Server, said};

mod server;

const SECRET: &str = "quixotic zanzibar";

fn config() -> EndpointConfig {
    EndpointConfig {
        retries: 2,
        timeout_seconds: 5,
        ..EndpointConfig::default()
    }
}

fn client_of(name: &str, config: &EndpointConfig) -> Client {
    Client::new(name.parse().unwrap(), config)
        .unwrap()
        .with_backoff(Backoff {
            first: Duration::from_millis(4),
            most: Duration::from_millis(8),
            most_asked_for: Duration::from_millis(1200),
        })
}

fn client(server: &Server) -> Client {
    client_of(&server.name(), &config())
}

fn ask(client: &Client) -> Result<String, EndpointError> {
    let turn = Turn {
        role: Role::User,
        text: SECRET.to_owned(),
        picture: None,
    };
    client.complete(&[turn], 9)
}

fn draw(client: &Client) -> Result<RgbImage, EndpointError> {
    client.draw(&PictureRequest {
        prompt: SECRET,
        negative_prompt: "",
        size: (8, 6),
        seed: 3,
    })
}

/// The problem and the number of tries; the message must name the server and nothing private.
fn refused<A>(result: Result<A, EndpointError>) -> (Problem, u32) {
    let Err(error) = result else {
        panic!("must fail")
    };
    let message = format!("{error} {error:?}");
    for word in SECRET.split(' ').chain(["s3cret", "repeated"]) {
        assert!(!message.contains(word), "{message}");
    }
    assert!(message.contains("hint: "), "{message}");
    match error {
        EndpointError::Request {
            problem,
            attempts,
            server,
            ..
        } => {
            assert!(message.starts_with(&server), "{message}");
            (problem, attempts)
        }
        other => panic!("{other}"),
    }
}

/// A picture's answer: `data` as its base64.
fn drawn(data: &str) -> Vec<u8> {
    json!({"created": 0, "data": [{"b64_json": data}]})
        .to_string()
        .into_bytes()
}

fn png() -> Vec<u8> {
    let picture = RgbImage::from_fn(8, 6, |x, y| Rgb([x as u8 * 30, y as u8 * 40, 77]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn texts_are_asked_for_and_read() {
    let server = Server::start(|_, _| Play::Status(200, "", said(" A dog. ")));
    assert_eq!(ask(&client(&server)).unwrap(), "A dog.");
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(
        asked.body,
        json!({
            "model": "test-model", "stream": false, "max_tokens": 9, "temperature": 0, "seed": 0,
            "messages": [{"role": "user", "content": SECRET}],
        })
    );
    let head = asked.head.to_lowercase();
    for absent in ["cookie", "authorization", "referer"] {
        assert!(!head.contains(absent), "{head}");
    }
}

#[test]
fn photos_go_as_jpeg_of_the_configured_side() {
    let server = Server::start(|_, _| Play::Status(200, "", said("A dog.")));
    let config = EndpointConfig {
        photo_side: 64,
        ..config()
    };
    let photo = RgbImage::from_pixel(200, 100, Rgb([9, 200, 30]));
    let client = client_of(&server.name(), &config);
    let turn = Turn {
        role: Role::User,
        text: "What is it?".to_owned(),
        picture: Some(data_url(&photo, client.photo_side()).unwrap()),
    };
    assert_eq!(client.complete(&[turn], 30).unwrap(), "A dog.");
    let content = &server.asked()[0].body["messages"][0]["content"];
    assert_eq!(content[1], json!({"type": "text", "text": "What is it?"}));
    let url = content[0]["image_url"]["url"].as_str().unwrap();
    let data = url.strip_prefix("data:image/jpeg;base64,").unwrap();
    let sent = image::load_from_memory(&STANDARD.decode(data).unwrap()).unwrap();
    assert_eq!((sent.width(), sent.height()), (64, 32));
}

#[test]
fn pictures_are_asked_for_and_read() {
    let server = Server::start(|_, _| Play::Status(200, "", drawn(&STANDARD.encode(png()))));
    let picture = draw(&client(&server)).unwrap();
    assert_eq!(picture.get_pixel(3, 2).0, [90, 80, 77]);
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/v1/images/generations");
    assert_eq!(asked.body["size"], "8x6");
    assert_eq!(asked.body["seed"], 3);
}

#[test]
fn failures_that_pass_are_tried_again() {
    for status in [429, 500, 502, 503] {
        let server = Server::start(move |n, _| match n {
            0 | 1 => Play::Status(status, "", SECRET.into()),
            _ => Play::Status(200, "", said("A dog.")),
        });
        assert_eq!(ask(&client(&server)).unwrap(), "A dog.");
        assert_eq!(server.asked().len(), 3);
    }
    let server = Server::start(|n, _| match n {
        0 => Play::Close,
        1 => Play::HalfABody(said("A dog.")),
        _ => Play::Status(200, "", said("A dog.")),
    });
    assert_eq!(ask(&client(&server)).unwrap(), "A dog.");
}

#[test]
fn failures_that_stay_end_after_the_retries() {
    let script = |play: fn() -> Play| Server::start(move |_, _| play());
    let status = script(|| Play::Status(500, "", SECRET.into()));
    assert_eq!(refused(ask(&client(&status))), (Problem::Status(500), 3));
    let cut = script(|| Play::HalfABody(said("A dog.")));
    assert_eq!(refused(ask(&client(&cut))), (Problem::Cut, 3));
    let closed = script(|| Play::Close);
    assert_eq!(refused(ask(&client(&closed))), (Problem::Cut, 3));
    let mail = script(|| Play::Garbage);
    assert_eq!(refused(ask(&client(&mail))), (Problem::Protocol, 3));
    let page = script(|| Play::Status(200, "", b"<html>quixotic</html>".to_vec()));
    assert_eq!(refused(ask(&client(&page))), (Problem::NotJson, 3));
    let bare = script(|| Play::Status(200, "", b"{\"quixotic\": 1}".to_vec()));
    assert_eq!(
        refused(ask(&client(&bare))),
        (Problem::Missing("choices[0].message.content"), 3)
    );
    let nobody = {
        let server = script(|| Play::Close);
        client(&server)
    };
    let (problem, tries) = refused(ask(&nobody));
    assert_eq!(
        (problem, tries),
        (Problem::Unreachable("connection refused".to_owned()), 3)
    );
}

#[test]
fn refusals_are_not_tried_again_and_their_words_stay_out_of_messages() {
    for status in [400, 401, 404, 413, 422] {
        let server = Server::start(move |_, _| {
            Play::Status(status, "", format!("{SECRET} repeated").into_bytes())
        });
        let result = ask(&client(&server));
        let words = result.as_ref().unwrap_err().server_words().unwrap();
        assert_eq!(words, format!("{SECRET} repeated").as_bytes());
        assert_eq!(refused(result), (Problem::Status(status), 1));
        assert_eq!(server.asked().len(), 1);
    }
}

/// What a server may say to one photo or text, and what it says to everyone.
#[test]
fn refusals_of_one_request_are_told_from_failures_of_the_server() {
    let text = |body: &str| Play::Status(200, "", body.as_bytes().to_vec());
    let choice = |content: &str, reason: &str| {
        text(&format!(
            r#"{{"choices": [{{"message": {{"content": {content}}}, "finish_reason": "{reason}"}}]}}"#
        ))
    };
    let refused = |play: fn(usize) -> Play, n: usize| {
        let server = Server::start(move |_, _| play(n));
        ask(&client(&server)).unwrap_err().is_refusal()
    };
    for status in [400, 413, 415, 422, 451] {
        let play = |status: usize| Play::Status(status as u16, "", Vec::new());
        assert!(refused(play, status), "{status}");
    }
    for status in [307, 401, 402, 403, 404, 429, 500, 503] {
        let play = |status: usize| Play::Status(status as u16, "", Vec::new());
        assert!(!refused(play, status), "{status}");
    }
    for play in [
        choice("null", "stop"),
        choice("null", "length"),
        choice("\"A dog\"", "content_filter"),
        text("{}"),
        text("\u{fffd}"),
    ] {
        let Play::Status(status, head, body) = play else {
            unreachable!()
        };
        let server = Server::start(move |_, _| Play::Status(status, head, body.clone()));
        assert!(ask(&client(&server)).unwrap_err().is_refusal());
    }
    assert!(!refused(|_| Play::Close, 0));
    assert!(!refused(|_| Play::Garbage, 0));
    let nobody = client(&Server::start(|_, _| Play::Close));
    assert!(!ask(&nobody).unwrap_err().is_refusal());
}

#[test]
fn a_rehearsal_wants_an_answer() {
    let turn = Turn {
        role: Role::User,
        text: "What is it?".to_owned(),
        picture: None,
    };
    let rehearse = |server: &Server| client(server).rehearse(std::slice::from_ref(&turn), 9);
    let good = Server::start(|_, _| Play::Status(200, "", said("A dog.")));
    rehearse(&good).unwrap();
    let silent = Server::start(|_, _| Play::Status(200, "", said("")));
    assert_eq!(refused(rehearse(&silent)), (Problem::Withheld, 1));
    let closed = Server::start(|_, _| Play::Status(404, "", Vec::new()));
    assert_eq!(refused(rehearse(&closed)), (Problem::Status(404), 1));
}

#[test]
fn a_server_that_hangs_is_left_after_the_timeout() {
    let server = Server::start(|_, _| Play::Hang(Duration::from_mins(1)));
    let config = EndpointConfig {
        timeout_seconds: 1,
        retries: 1,
        ..config()
    };
    let started = Instant::now();
    let result = ask(&client_of(&server.name(), &config));
    assert_eq!(refused(result), (Problem::TimedOut(1), 2));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn half_a_picture_is_tried_again_and_named() {
    let half_base64 = STANDARD.encode(png())[..33].to_owned();
    let half_png = STANDARD.encode(&png()[..png().len() / 2]);
    for (data, problem) in [
        (half_base64, Problem::Base64),
        (half_png, Problem::Picture("is broken or cut short")),
        (
            STANDARD.encode("<svg/>"),
            Problem::Picture("is no PNG, JPEG or WebP"),
        ),
    ] {
        let broken = data.clone();
        let server = Server::start(move |_, _| Play::Status(200, "", drawn(&broken)));
        assert_eq!(refused(draw(&client(&server))), (problem, 3));
        let server = Server::start(move |n, _| match n {
            0 => Play::Status(200, "", drawn(&data)),
            _ => Play::Status(200, "", drawn(&STANDARD.encode(png()))),
        });
        assert_eq!(draw(&client(&server)).unwrap().dimensions(), (8, 6));
    }
}

#[test]
fn an_answer_too_long_is_not_read_to_its_end() {
    let server = Server::start(|_, _| Play::Status(200, "", vec![b' '; 5 << 20]));
    assert_eq!(
        refused(ask(&client(&server))),
        (Problem::TooLong(4 << 20), 1)
    );
}

#[test]
fn the_server_says_when_to_come_back() {
    let server = Server::start(|n, _| match n {
        0 => Play::Status(429, "Retry-After: 1\r\n", Vec::new()),
        // Far beyond the bound.
        1 => Play::Status(503, "Retry-After: 86400\r\n", Vec::new()),
        _ => Play::Status(200, "", said("A dog.")),
    });
    assert_eq!(ask(&client(&server)).unwrap(), "A dog.");
    let times: Vec<Instant> = server.asked().iter().map(|a| a.at).collect();
    let waited: Vec<Duration> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(waited[0] >= Duration::from_secs(1), "{waited:?}");
    assert!(waited[1] >= Duration::from_millis(1200), "{waited:?}");
    assert!(waited[1] < Duration::from_secs(10), "{waited:?}");
}

#[test]
fn redirects_are_not_followed() {
    let other = Server::start(|_, _| Play::Status(200, "", said("from elsewhere")));
    let header: &'static str =
        Box::leak(format!("Location: {}\r\n", other.name()).into_boxed_str());
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(move |_, _| Play::Status(status, header, Vec::new()));
        assert_eq!(
            refused(ask(&client(&server))),
            (Problem::Redirect(status), 1)
        );
    }
    assert!(other.asked().is_empty());
}

/// 0.0.0.0 reaches this machine but is no loopback address: the server must not even be called.
#[test]
fn other_addresses_are_refused_unless_allowed() {
    let script = |_: usize, _: &server::Asked| Play::Status(200, "", said("A dog."));
    let server = Server::on(Ipv4Addr::UNSPECIFIED.into(), script);
    let name = format!("http://0.0.0.0:{}/v1", server.port);
    let inside = client_of(&name, &config());
    assert_eq!(refused(ask(&inside)), (Problem::NotLoopback, 1));
    assert!(!inside.is_remote());
    assert!(server.asked().is_empty());

    let config = EndpointConfig {
        allow_remote: true,
        ..config()
    };
    let outside = client_of(&name, &config);
    assert_eq!(ask(&outside).unwrap(), "A dog.");
    assert!(outside.is_remote());
    let own = format!("http://localhost:{}/v1", server.port);
    let own = client_of(&own, &config);
    assert_eq!(ask(&own).unwrap(), "A dog.");
    assert!(!own.is_remote());
}

#[test]
fn requests_in_flight_are_bounded_and_answers_keep_their_items() {
    let server = Server::start(|_, asked| {
        let text = asked.body["messages"][0]["content"].as_str().unwrap();
        // Later items are answered sooner.
        let item: u64 = text.parse().unwrap();
        Play::Slow(
            Duration::from_millis(60 - item),
            said(&format!("item {item}")),
        )
    });
    let config = EndpointConfig {
        concurrency: 3,
        ..config()
    };
    let client = client_of(&server.name(), &config);
    let items: Vec<u64> = (0..24).collect();
    let mut answers = vec![String::new(); items.len()];
    client
        .ask_all(
            &items,
            |item| {
                let turn = Turn {
                    role: Role::User,
                    text: item.to_string(),
                    picture: None,
                };
                client.complete(&[turn], 9)
            },
            |index, answer| {
                answers[index] = answer;
                Ok(())
            },
        )
        .unwrap();
    let expected: Vec<String> = items.iter().map(|i| format!("item {i}")).collect();
    assert_eq!(answers, expected);
    assert_eq!(server.most_at_once(), 3);
}

#[test]
fn the_first_failure_ends_the_rest_and_keeps_what_was_answered() {
    let server = Server::start(|n, _| match n {
        5 => Play::Status(400, "", Vec::new()),
        _ => Play::Status(200, "", said("A dog.")),
    });
    let client = client(&server);
    let mut answered = 0;
    let result = client.ask_all(
        &[(); 40],
        |()| ask(&client),
        |_, _| {
            answered += 1;
            Ok(())
        },
    );
    assert_eq!(refused(result), (Problem::Status(400), 1));
    assert_eq!(answered, server.asked().len() - 1);
    assert!(answered < 39, "{answered}");
}

/// The key goes into the header, and nowhere else. A variable that every process of the test has
/// stands for the key's: tests must not change the environment.
#[test]
fn the_key_is_read_from_the_environment() {
    let key = std::env::var("CARGO_PKG_NAME").unwrap();
    let config = EndpointConfig {
        api_key_env: "CARGO_PKG_NAME".to_owned(),
        ..config()
    };
    let server = Server::start(|_, asked| Play::Status(401, "", asked.head.clone().into_bytes()));
    let result = ask(&client_of(&server.name(), &config));
    let message = format!("{result:?} {}", result.as_ref().unwrap_err());
    assert!(!message.contains(&key), "{message}");
    let head = server.asked()[0].head.to_lowercase();
    assert!(
        head.contains(&format!("authorization: bearer {key}")),
        "{head}"
    );

    let config = EndpointConfig {
        api_key_env: "ALBUMEN_NO_SUCH_KEY".to_owned(),
        ..config
    };
    let Err(error) = Client::new(server.name().parse().unwrap(), &config) else {
        panic!("must fail")
    };
    assert_eq!(
        error.to_string(),
        "`endpoint.api_key_env` names ALBUMEN_NO_SUCH_KEY, which is not set\n  hint: export \
         ALBUMEN_NO_SUCH_KEY with the server's key, or leave `api_key_env` out"
    );
}
