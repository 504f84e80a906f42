//! Topics of texts: k-means over their embeddings, each cluster named by class TF-IDF.
//!
//! Knows nothing of albums, models or privacy: rows of numbers and words go in, clusters and names
//! come out. Every result is a function of the input and a public seed alone; threads change no bit
//! of it. Whether a topic model may be published is a matter of what it was fitted on.
#![warn(missing_docs)]

mod error;
mod kmeans;
mod model;
mod words;

pub use error::{Result, TopicsError};
pub use kmeans::{Clustering, KMeans};
pub use model::{Topic, TopicModel};
pub use words::{class_tf_idf, content_words};
