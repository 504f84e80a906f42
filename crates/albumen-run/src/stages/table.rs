//! The stages: a closed enum and a table, from one list. A stage is a row here and the function that it
//! names; where its manifest lies, whether the ledger is asked about it and how finely its progress may be
//! told follow from its ring.

use albumen_schema::Config;
use albumen_schema::config::Layout;
use serde_json::{Value, json};

use super::stage::{Ring, trained};
use super::{served, warm_up};
use crate::runner::{Runner, Work};
use albumen_files::sha256_of_file;

/// Where the outputs of a stage lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output {
    /// `private/STAGE/`.
    Private,
    /// `models/NAME/`.
    Model(&'static str),
    /// `statistics/`.
    Statistics,
    /// `synthetic/STAGE/`.
    Synthetic,
    /// The same, kept where a try is unfinished: the stage goes on with what is there.
    Resumed,
    /// `release/`, which the stage writes whole itself, with the manifest beside it: a release holds nothing
    /// but what is released.
    Release,
    /// A page in the run directory, made anew by every run.
    Page(&'static str),
}

/// Hashes of files, by what the files are.
pub(crate) type Hashes = Vec<(&'static str, String)>;

/// A row of the table of stages.
pub(crate) struct Row {
    /// The name used on the command line and in files.
    pub(crate) name: &'static str,
    /// What it does, in a sentence.
    pub(crate) what: &'static str,
    pub(crate) ring: Ring,
    /// Whether the configuration wants it.
    pub(crate) wanted: fn(&Config) -> bool,
    /// The stages whose outputs it reads.
    pub(crate) reads: fn(&Config) -> Vec<Stage>,
    /// What it depends on in the configuration.
    pub(crate) settings: fn(&Runner) -> anyhow::Result<Value>,
    /// The fingerprint of the model that it depends on.
    pub(crate) model: fn(&Runner) -> anyhow::Result<Option<String>>,
    /// Hashes of the files that it reads beside other stages' outputs, by what they are.
    pub(crate) files: fn(&Runner) -> anyhow::Result<Hashes>,
    pub(crate) output: Output,
    /// Whether a language model that is still loaded makes room first.
    pub(crate) unloads: bool,
    /// Does the work and gives a few public words of what came of it.
    pub(crate) run: fn(&mut Runner, &mut Work) -> anyhow::Result<String>,
}

/// What most rows have in common.
const ROW: Row = Row {
    name: "",
    what: "",
    ring: Ring::Public,
    wanted: |_| true,
    reads: |_| Vec::new(),
    settings: |_| Ok(Value::Null),
    model: |_| Ok(None),
    files: |_| Ok(Vec::new()),
    output: Output::Synthetic,
    unloads: false,
    run: |_, _| Ok(String::new()),
};

/// A private training of the hierarchical layout or, with another `wanted`, of the flat one.
const TRAINING: Row = Row {
    ring: Ring::Boundary,
    wanted: |c| c.train.layout == Layout::Hierarchical,
    reads: |c| {
        let mut before = vec![Stage::Caption, Stage::Summarize];
        before.extend(c.train.public.as_ref().map(|_| Stage::TrainPublic));
        before
    },
    // The noise is solved from these; the ledger holds what was really used.
    settings: |r| {
        let c = r.config();
        Ok(json!([c.privacy, c.release, c.train, limits(c)]))
    },
    model: train_model,
    files: |r| r.preamble_file(),
    run: Runner::train,
    ..ROW
};

macro_rules! stages {
    ($($variant:ident => $row:expr,)*) => {
        /// A stage, in the order in which they run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "Stage::what says what each does")]
        pub enum Stage { $($variant,)* }

        impl Stage {
            /// Every stage, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => {
                        static ROW_OF_STAGE: Row = $row;
                        &ROW_OF_STAGE
                    })*
                }
            }
        }
    };
}

stages! {
    Ingest => Row {
        name: "ingest",
        what: "Read and check the private albums",
        ring: Ring::Private,
        settings: |r| Ok(json!([r.config().corpus, r.config().privacy.unit])),
        files: |r| Ok(vec![("corpus", r.corpus_fingerprint()?)]),
        output: Output::Private,
        run: Runner::ingest,
        ..ROW
    },
    Caption => Row {
        name: "caption",
        what: "Caption every photo",
        ring: Ring::Private,
        reads: |_| vec![Stage::Ingest],
        settings: |r| Ok(json!([r.config().caption, served::settings(r.config(), Stage::Caption)])),
        // An asset is what its pin says.
        model: |r| match &r.config().caption.model {
            asset if asset.asset().is_some() => Ok(None),
            model => r.fingerprint(model),
        },
        output: Output::Private,
        unloads: true,
        run: Runner::caption,
        ..ROW
    },
    Summarize => Row {
        name: "summarize",
        what: "Summarise every album",
        ring: Ring::Private,
        reads: |_| vec![Stage::Caption],
        settings: |r| Ok(json!([r.config().summarize, served::settings(r.config(), Stage::Summarize)])),
        model: |r| r.fingerprint(&r.config().summarize.model),
        output: Output::Private,
        run: Runner::summarize,
        ..ROW
    },
    Topics => Row {
        name: "topics",
        what: "Sort the public model's own sentences into topics, where something asks for them",
        wanted: Config::wants_topics,
        settings: |r| Ok(json!(r.config().topics)),
        model: train_model,
        output: Output::Model("topics"),
        run: Runner::make_topics,
        ..ROW
    },
    Statistics => Row {
        name: "statistics",
        what: "Publish noisy statistics of the private albums, where [release] asks for them",
        ring: Ring::Boundary,
        wanted: |c| !c.release.wanted().is_empty(),
        reads: |c| {
            let mut before = vec![Stage::Caption, Stage::Summarize];
            before.extend((c.release.topic_histogram_epsilon > 0.0).then_some(Stage::Topics));
            before
        },
        settings: |r| Ok(json!([r.config().privacy, r.config().release])),
        output: Output::Statistics,
        run: Runner::statistics,
        ..ROW
    },
    TrainPublic => Row {
        name: "train-public",
        what: "Train both models on public albums, where [train.public] names them",
        wanted: |c| c.train.public.is_some(),
        settings: |r| {
            let t = &r.config().train;
            Ok(json!([
                t.public,
                t.layout,
                t.preamble,
                t.lora_rank,
                t.lora_alpha,
                t.lora_targets,
                t.lora_layers,
                t.init_seed,
                t.freeze_a,
                limits(r.config())
            ]))
        },
        model: train_model,
        files: |r| {
            let mut files = r.preamble_file()?;
            if let Some(public) = &r.config().train.public {
                files.push((warm_up::ALBUMS, sha256_of_file(&public.path)?));
            }
            Ok(files)
        },
        output: Output::Model("public"),
        run: Runner::train_public,
        ..ROW
    },
    TrainSummary => Row {
        name: "train-summary",
        what: "Train the summary model",
        output: Output::Model("summary"),
        ..TRAINING
    },
    TrainCaption => Row {
        name: "train-caption",
        what: "Train the caption model",
        output: Output::Model("caption"),
        ..TRAINING
    },
    TrainAlbum => Row {
        name: "train-album",
        what: "Train the one model of `train.layout = \"flat\"`",
        wanted: |c| c.train.layout == Layout::Flat,
        output: Output::Model("album"),
        ..TRAINING
    },
    Generate => Row {
        name: "generate",
        what: "Sample synthetic albums",
        reads: |c| trained(c.train.layout).to_vec(),
        settings: |r| Ok(json!(r.config().generate)),
        model: train_model,
        files: |r| r.preamble_file(),
        run: Runner::generate,
        ..ROW
    },
    Curate => Row {
        name: "curate",
        what: "Judge them",
        reads: |c| {
            let mut before = vec![Stage::Generate];
            if c.wants_topics() {
                before.extend([Stage::Topics, Stage::Statistics]);
            }
            before
        },
        settings: |r| Ok(json!([r.config().curate, r.config().generate.candidates])),
        model: |r| if r.config().curate.grade {
                train_model(r)
            } else {
                Ok(None)
            },
        unloads: true,
        run: Runner::curate,
        ..ROW
    },
    Render => Row {
        name: "render",
        what: "Draw the kept ones",
        reads: |_| vec![Stage::Curate],
        settings: |r| {
            let c = r.config();
            Ok(json!([c.render.drawn(), c.generate.seed, served::settings(c, Stage::Render)]))
        },
        model: |r| r.renderer_fingerprint(),
        output: Output::Resumed,
        unloads: true,
        run: Runner::render,
        ..ROW
    },
    Export => Row {
        name: "export",
        what: "Write the release",
        reads: |_| vec![Stage::Curate, Stage::Render, Stage::Statistics],
        settings: |r| {
            let (c, t) = (r.config(), &r.config().train);
            Ok(json!([
                c.export,
                c.name,
                c.render.drawn(),
                t.model,
                t.public,
                t.layout,
                t.preamble,
                c.privacy,
                c.departures_beside(&r.departed()?)
            ]))
        },
        files: |r| {
            let ledger = r.dir().ledger();
            Ok(if ledger.exists() { vec![("ledger", sha256_of_file(&ledger)?)] } else { Vec::new() })
        },
        output: Output::Release,
        run: Runner::export,
        ..ROW
    },
    Report => Row {
        name: "report",
        what: "Write report.html",
        output: Output::Page("report.html"),
        run: Runner::report,
        ..ROW
    },
}

fn train_model(runner: &Runner) -> anyhow::Result<Option<String>> {
    runner.fingerprint(&runner.config().train.model)
}

/// The lengths that training cuts texts to.
fn limits(config: &Config) -> Value {
    json!([
        config.generate.max_summary_tokens,
        config.generate.max_caption_tokens
    ])
}
