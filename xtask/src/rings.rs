//! The rings: which crate stands where. crates/README.md is generated from this table, and rules.rs says
//! what a ring's crates may reach.

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
    pub(crate) what: &'static str,
    pub(crate) packages: &'static [&'static str],
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
        "albumen-oneshot",
        Ring::Core,
        "counts, histograms and quantiles released once, with noise by OpenDP",
    ),
    row(
        "albumen-files",
        Ring::Core,
        "files that are whole or not there, files that only their owner may read, SHA-256",
    ),
    row(
        "albumen-verify",
        Ring::Core,
        "checks a release and accounts for its privacy: library and auditor's program",
    ),
    row(
        "albumen-names",
        Ring::Core,
        "names of models, parsed once: assets, paths, models of the hub, servers",
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
        "generate, curate, render, export: pure post-processing of released models",
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
}
