//! Captioner, summariser and renderer behind an OpenAI-compatible server.
//!
//! A [`Client`] asks one server for texts (`chat/completions`, with a picture or without) and pictures
//! (`images/generations`). vLLM, TGI, llama.cpp's server and bridges to ComfyUI speak this interface.
//!
//! # What leaves the machine
//! While `[endpoint] allow_remote` is `false`, a connection is made to loopback addresses only. That is
//! decided on the addresses to connect to, anew for each request; no proxy is used and no redirect is
//! followed. Photos go as JPEG made anew from pixels, which has no metadata to carry.
//!
//! # What one request decides
//! A server may refuse one photo or text, and whether it does is as private as that. So private data is
//! sent only to a server that has answered a public question ([`Client::rehearse`]), and a refusal after
//! that ([`EndpointError::is_refusal`]) need not end anything.
//!
//! # What errors say
//! Which server, what came instead of an answer, and what would mend it; never a prompt, an answer, a
//! key or a server's own words, which may quote any of these. [`EndpointError::server_words`] has the
//! last for a file among the private ones.

mod chat;
mod client;
mod error;
mod fence;
mod flight;
mod photo;
mod picture;
mod rehearsal;
mod retry;

pub use albumen_schema::EndpointName;
pub use albumen_schema::config::EndpointConfig;

pub use chat::{Role, Turn};
pub use client::Client;
pub use error::{EndpointError, Problem, Result};
pub use photo::data_url;
pub use picture::PictureRequest;
pub use rehearsal::public_picture;
pub use retry::Backoff;
