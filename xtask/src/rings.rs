//! The rings: which crate stands where, and what a ring's crates may reach. crates/README.md is
//! generated from this table.

use crate::graph::{Graph, Package};

/// What a crate is for the guarantee. Its rules follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    Core,
    Private,
    Public,
    Models,
    Front,
}

pub(crate) const RINGS: [Ring; 5] = [
    Ring::Core,
    Ring::Private,
    Ring::Public,
    Ring::Models,
    Ring::Front,
];

/// A crate's row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ring: Ring,
    pub(crate) is: &'static str,
    /// What it must not reach beyond its ring's rule.
    pub(crate) never: &'static [Never],
}

/// A package, or all packages of one purpose.
#[derive(Clone, Copy)]
pub(crate) enum Never {
    Package(&'static str),
    Family(&'static Family),
}

/// Packages of one purpose; a name that ends with `*` stands for all that begin so.
pub(crate) struct Family {
    what: &'static str,
    packages: &'static [&'static str],
}

pub(crate) const TENSORS: Family = Family {
    what: "a tensor library",
    packages: &[
        "candle-*",
        "gemm*",
        "cudarc*",
        "metal",
        "safetensors",
        "tokenizers",
        "ndarray*",
        "nalgebra*",
        "faer*",
        "burn*",
        "tch",
        "ort",
        "ort-sys",
    ],
};

pub(crate) const HTTP: Family = Family {
    what: "an HTTP client",
    packages: &[
        "ureq*",
        "hf-hub",
        "reqwest",
        "hyper*",
        "h2",
        "http",
        "curl",
        "curl-sys",
        "isahc",
        "attohttpc",
        "minreq",
        "tungstenite",
        "rustls*",
        "native-tls",
        "tokio",
        "socks",
    ],
};

pub(crate) const PICTURES: Family = Family {
    what: "an image decoder",
    packages: &[
        "image",
        "image-webp",
        "png",
        "gif",
        "tiff",
        "zune-*",
        "jpeg-decoder",
        "webp*",
        "kamadak-exif",
        "resvg",
        "usvg",
    ],
};

/// Third-party packages under a core crate, at most, what it is built with included.
const MOST_PACKAGES: usize = 60;

/// The crate whose list is opendp's, and the package that brings that list: what comes by it is not
/// ours to choose.
const AROUND_OPENDP: (&str, &str) = ("albumen-dp", "opendp");

/// Crates of the core that models may reach: none runs a mechanism or holds a private value. The
/// accountant is among them because the configuration's types name its unit.
const PLAIN: [&str; 3] = ["albumen-accounting", "albumen-files", "albumen-schema"];

/// Seals and opens private values, so it is not for public crates, though it is in the core.
const SEALS: &str = "albumen-dp";

const fn row(name: &'static str, ring: Ring, is: &'static str) -> Row {
    Row {
        name,
        ring,
        is,
        never: &[],
    }
}

impl Row {
    const fn never(mut self, never: &'static [Never]) -> Self {
        self.never = never;
        self
    }
}

/// Every crate of the workspace.
pub(crate) const CRATES: &[Row] = &[
    row(
        "albumen-schema",
        Ring::Core,
        "albums, photos, manifests and configuration types; no I/O",
    ),
    row(
        "albumen-accounting",
        Ring::Core,
        "the privacy unit, privacy events, privacy loss distributions, Renyi, calibration, the ledger",
    ),
    row(
        "albumen-dp",
        Ring::Core,
        "sealed private values, sampling, clipping, noise, and the plan that couples them",
    ),
    row(
        "albumen-files",
        Ring::Core,
        "files that are whole or not there, files that only their owner may read, SHA-256",
    ),
    row(
        "albumen-corpus",
        Ring::Private,
        "the only reader of private photos: formats, contribution bounds, captions, summaries",
    ),
    row(
        "albumen-train",
        Ring::Private,
        "units' texts, plan and language model to a released adapter and its event",
    )
    .never(&[
        Never::Package("albumen-corpus"),
        Never::Family(&HTTP),
        Never::Family(&PICTURES),
    ]),
    row(
        "albumen-evaluate",
        Ring::Private,
        "synthetic albums beside the private ones; report.internal.html and the page of a sweep, \
         stamped",
    ),
    row(
        "albumen-synth",
        Ring::Public,
        "generate, curate, render, export, verify: pure post-processing of released models",
    ),
    row(
        "albumen-report",
        Ring::Public,
        "report.html and the measures of synthetic albums alone; nothing private goes in",
    ),
    row(
        "albumen-illustrations",
        Ring::Public,
        "captions to pictures without a text-to-image model: emoji before painted backgrounds",
    ),
    row(
        "albumen-topics",
        Ring::Public,
        "topics of texts: k-means over embeddings, names by class TF-IDF; knows nothing of albums \
         or privacy",
    )
    .never(&[
        Never::Package("albumen-schema"),
        Never::Package("albumen-accounting"),
    ]),
    row(
        "albumen-chart",
        Ring::Public,
        "charts as SVG text: axes, ticks, colours, number formats; depends on nothing",
    ),
    row(
        "albumen-lm",
        Ring::Models,
        "the language model: loading, LoRA, per-sequence gradients, kernels, decoding; knows \
         nothing of privacy",
    )
    .never(&[
        Never::Package("albumen-schema"),
        Never::Package("albumen-accounting"),
    ]),
    row(
        "albumen-weights",
        Ring::Models,
        "a checkpoint's tensors in safetensors, read one at a time into networks",
    ),
    row(
        "albumen-vision",
        Ring::Models,
        "frozen public image models: tagger, detector, sentence embeddings",
    ),
    row(
        "albumen-captioner",
        Ring::Models,
        "vision-language captioners: BLIP, Qwen3-VL, PaliGemma, LLaVA",
    ),
    row(
        "albumen-diffusion",
        Ring::Models,
        "text-to-image: Stable Diffusion, SDXL, Stable Diffusion 3, Flux, Z-Image",
    ),
    row(
        "albumen-models",
        Ring::Models,
        "one way to name a model: names, kinds and architectures, the hub, what files say of \
         themselves; loads none",
    )
    .never(&[
        Never::Package("albumen-schema"),
        Never::Package("candle-core"),
    ]),
    row(
        "albumen-assets",
        Ring::Models,
        "the pinned public assets: fetched through package clients, unpacked, checked; the \
         quickstart corpus",
    ),
    row(
        "albumen-endpoint",
        Ring::Models,
        "captioner, summariser and renderer behind an OpenAI-compatible server; knows requests, \
         not albums",
    ),
    row(
        "workspace-hack",
        Ring::Models,
        "empty: makes every selection of crates build the same third-party features; not for the \
         core",
    ),
    row(
        "albumen-run",
        Ring::Front,
        "the run engine: stages, run directory, budget, models and memory, as a library with an observer",
    ),
    row(
        "albumen-cli",
        Ring::Front,
        "the `albumen` command: arguments and progress",
    ),
    row(
        "xtask",
        Ring::Front,
        "project checks and generated references (`xtask/`, beside `crates/`)",
    ),
];

impl Ring {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Private => "private",
            Self::Public => "public",
            Self::Models => "models",
            Self::Front => "front",
        }
    }

    /// The ring's rule, for crates/README.md.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Core => {
                "What the guarantee rests on. Reaches the core alone: no tensor library, HTTP \
                 client or image decoder, and at most 60 third-party packages each (what opendp \
                 brings lies in a crate of its own, which is not counted)."
            }
            Self::Private => {
                "Handles private data: what leaves is released or stamped. Reaches every ring but \
                 the front."
            }
            Self::Public => {
                "Post-processing of what was released. Reaches nothing private, nor \
                 `albumen-dp`, where private values are sealed and opened."
            }
            Self::Models => {
                "Frozen, public networks and what finds them. Of the core they reach at most \
                 `albumen-schema`, what it is built of, and `albumen-files`."
            }
            Self::Front => "What people start. May reach everything.",
        }
    }

    fn may_reach(self, other: &Row) -> bool {
        match self {
            Self::Core => other.ring == Self::Core,
            Self::Private => other.ring != Self::Front,
            Self::Public => {
                matches!(other.ring, Self::Core | Self::Public | Self::Models)
                    && other.name != SEALS
            }
            Self::Models => other.ring == Self::Models || PLAIN.contains(&other.name),
            Self::Front => true,
        }
    }

    /// Third-party packages that no crate of the ring may reach.
    fn never(self) -> &'static [Never] {
        match self {
            Self::Core => &[
                Never::Family(&TENSORS),
                Never::Family(&HTTP),
                Never::Family(&PICTURES),
            ],
            _ => &[],
        }
    }
}

impl Family {
    fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|p| match p.strip_suffix('*') {
            Some(beginning) => package.starts_with(beginning),
            None => package == *p,
        })
    }
}

impl Never {
    fn is(self, package: &str) -> bool {
        match self {
            Self::Package(name) => package == name,
            Self::Family(family) => family.has(package),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Package(_) => "which its row forbids",
            Self::Family(family) => family.what,
        }
    }
}

/// Crates without a row, and rows without a crate.
pub(crate) fn unmatched(rows: &[Row], members: &[String]) -> Vec<String> {
    let without_row = (members.iter())
        .filter(|m| !rows.iter().any(|r| r.name == *m))
        .map(|m| format!("{m} has no row in xtask/src/rings.rs: name its ring"));
    let without_crate = (rows.iter())
        .filter(|r| !members.iter().any(|m| m == r.name))
        .map(|r| {
            format!(
                "xtask/src/rings.rs has a row for {}, which is no crate",
                r.name
            )
        });
    without_row.chain(without_crate).collect()
}

/// Every rule that a crate breaks, given what it is built of.
pub(crate) fn broken(rows: &[Row], row: &Row, graph: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    let mut third_party = 0;
    for package in graph.reach() {
        let route = || graph.route(package).join(" -> ");
        let other = rows.iter().find(|r| r.name == package.name);
        if let Some(other) = other.filter(|other| !row.ring.may_reach(other)) {
            broken.push(format!(
                "{} ({}) reaches {} ({}): {}",
                row.name,
                row.ring.name(),
                other.name,
                other.ring.name(),
                route()
            ));
        }
        if opendps(row, graph, package) {
            continue;
        }
        if package.third_party {
            third_party += 1;
        }
        for never in row.ring.never().iter().chain(row.never) {
            if never.is(&package.name) {
                let (of, what) = (row.name, never.what());
                broken.push(format!(
                    "{of} reaches {}, {what}: {}",
                    package.name,
                    route()
                ));
            }
        }
    }
    if row.ring == Ring::Core && third_party > MOST_PACKAGES {
        broken.push(format!(
            "{} is built of {third_party} third-party packages; a core crate has at most \
             {MOST_PACKAGES}",
            row.name
        ));
    }
    broken
}

/// Whether the package is one that opendp brings into the crate that is there for it.
fn opendps(row: &Row, graph: &Graph, package: &Package) -> bool {
    let (name, opendp) = AROUND_OPENDP;
    row.name == name && graph.route(package).contains(&opendp)
}

#[cfg(test)]
#[path = "rings_tests.rs"]
mod tests;
