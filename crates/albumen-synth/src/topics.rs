//! Public topics: sentences that the public model writes by itself, clustered.
//!
//! The model is the frozen one, without adapters; what stands before each sentence is written here.
//! So the topics are a function of a public model and a public seed, and may be made before any
//! private text is read: that is what lets a histogram over them be released by a mechanism that
//! takes its categories as public.

use std::collections::BTreeSet;

use albumen_lm::sampler::SamplingParams;
use albumen_lm::tokenizer::Tokenizer;
use albumen_lm::{AnyLm, Branch, DecodeOptions, Request};
use albumen_schema::config::TopicsConfig;
use albumen_schema::format::one_line;
use albumen_topics::{KMeans, TopicModel};

use crate::curate::SentenceEmbedding;
use crate::error::Result;

/// Texts decoded together; changes no text.
const BATCH: usize = 64;
/// Runs of k-means; the best stays.
const RESTARTS: usize = 5;
/// Iterations of each at most.
const ITERATIONS: usize = 300;

const HEADING: &str = "Each photo album is summed up in one short sentence.\n";

/// Worked examples before every sentence.
const EXAMPLES: [(&str, &str); 5] = [
    (
        "a day at the beach",
        "A sunny day at the beach with sandcastles and sailing.",
    ),
    (
        "a birthday",
        "A birthday party with cake, presents and balloons.",
    ),
    (
        "a football match",
        "Fans cheer at a football match in a big stadium.",
    ),
    (
        "a train museum",
        "Old steam engines and wagons in a train museum.",
    ),
    (
        "cooking",
        "Friends cook dinner together and taste the soup.",
    ),
];

/// What people fill albums with: the subjects that the model is asked to write about, in turn. They
/// spread its sentences; what becomes a topic is for the sentences to decide.
const SUBJECTS: [&str; 120] = [
    "a baby",
    "a ball game",
    "a band on stage",
    "a barbecue",
    "a bicycle tour",
    "a birthday party",
    "a boat trip",
    "a bridge",
    "a bus ride",
    "a business meeting",
    "a camping trip",
    "a car show",
    "a carnival",
    "a castle",
    "a cat at home",
    "a cathedral",
    "a cemetery",
    "a christening",
    "a circus",
    "a city at night",
    "a class reunion",
    "a concert",
    "a conference",
    "a costume party",
    "a country road",
    "a cruise",
    "a dance",
    "a day at home",
    "a day at school",
    "a desert",
    "a dinner with friends",
    "a dog in the park",
    "a family reunion",
    "a farm",
    "a fashion show",
    "a ferry",
    "a festival",
    "a fire",
    "a fishing trip",
    "a flight",
    "a flood",
    "a football game",
    "a forest",
    "a friend's visit",
    "a funeral",
    "a game of basketball",
    "a garden",
    "a graduation",
    "a harbour",
    "a hike in the mountains",
    "a horse race",
    "a hospital",
    "a hotel",
    "a house",
    "a kitchen",
    "a lake",
    "a library",
    "a marathon",
    "a market",
    "a museum",
    "a new car",
    "a new house",
    "a night out",
    "a parade",
    "a picnic",
    "a playground",
    "a portrait",
    "a protest",
    "a puppy",
    "a quiet evening",
    "a race",
    "a restaurant",
    "a river",
    "a road trip",
    "a ruin",
    "a ship",
    "a shopping trip",
    "a ski holiday",
    "a small town",
    "a snowy day",
    "a speech",
    "a sports day",
    "a statue",
    "a storm",
    "a summer camp",
    "a sunset",
    "a swimming pool",
    "a temple",
    "a theatre play",
    "a tour of a factory",
    "a tower",
    "a trade fair",
    "a train ride",
    "a village",
    "a volcano",
    "a walk in the city",
    "a waterfall",
    "a wedding",
    "a weekend away",
    "a winter market",
    "a workshop",
    "a zoo",
    "an airport",
    "an aquarium",
    "an art gallery",
    "an office",
    "an old church",
    "an orchestra",
    "autumn leaves",
    "birds",
    "Christmas",
    "Easter",
    "fireworks",
    "flowers",
    "food on a plate",
    "grandparents",
    "Halloween",
    "insects",
    "soldiers",
    "street art",
];

/// Sentences of the public model, in the order of their streams; none is empty, and one that ran into
/// `config.max_tokens` is cut there.
///
/// # Errors
/// Where the model, its tokenizer or a setting do not fit together.
pub fn sentences(
    lm: &AnyLm,
    tokenizer: &Tokenizer,
    config: &TopicsConfig,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<String>> {
    let mut text = HEADING.to_owned();
    for (subject, sentence) in EXAMPLES {
        text.push_str(&prompt(subject));
        text.push(' ');
        text.push_str(sentence);
        text.push('\n');
    }
    let prefix = tokenizer.encode(&text, false)?;
    let prefix = lm.prefix(None, &prefix)?;
    let requests = SUBJECTS
        .iter()
        .enumerate()
        .map(|(s, subject)| {
            let branch = |i: usize| Branch {
                prompt: Vec::new(),
                stream: i as u64,
            };
            Ok(Request {
                trunk: tokenizer.encode(&prompt(subject), false)?,
                branches: (s..config.samples)
                    .step_by(SUBJECTS.len())
                    .map(branch)
                    .collect(),
            })
        })
        .filter(|r| !matches!(r, Ok(request) if request.branches.is_empty()))
        .collect::<Result<Vec<_>>>()?;
    let mut stop_tokens = tokenizer.newline_ids().to_vec();
    stop_tokens.push(tokenizer.eos_id());
    let options = DecodeOptions {
        batch: BATCH,
        max_new_tokens: config.max_tokens,
        stop_tokens,
        sampling: SamplingParams {
            temperature: config.temperature,
            top_p: 0.95,
            ..SamplingParams::default()
        },
        seed: config.seed,
    };
    let mut written = vec![Vec::new(); config.samples];
    let mut done = 0;
    lm.generate(
        None,
        Some(&prefix),
        &requests,
        &options,
        &mut |request, branch, generation| {
            written[request + branch * SUBJECTS.len()] = generation.tokens;
            done += 1;
            progress(f64::from(done) / config.samples as f64);
        },
    )?;
    let mut sentences = Vec::new();
    for tokens in written {
        let sentence = one_line(&tokenizer.decode(&tokens)?).trim().to_owned();
        if !sentence.is_empty() {
            sentences.push(sentence);
        }
    }
    Ok(sentences)
}

/// Clusters sentences into `config.clusters` topics. A sentence counts once, however often it was
/// written.
///
/// # Errors
/// [`crate::SynthError::Topics`] where there are fewer different sentences than topics,
/// [`crate::SynthError::Embedding`].
pub fn topics(
    sentences: &[String],
    embedder: &dyn SentenceEmbedding,
    config: &TopicsConfig,
) -> Result<TopicModel> {
    let distinct: BTreeSet<&str> = sentences.iter().map(String::as_str).collect();
    let texts: Vec<&str> = distinct.into_iter().collect();
    let rows = embedder.embed(&texts)?;
    let settings = KMeans {
        clusters: config.clusters,
        restarts: RESTARTS,
        iterations: ITERATIONS,
        seed: config.seed,
    };
    Ok(TopicModel::fit(&texts, &rows, &settings)?)
}

fn prompt(subject: &str) -> String {
    format!("\nAbout {subject}:")
}
