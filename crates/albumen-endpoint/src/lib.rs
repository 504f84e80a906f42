//! Captioner, summariser and renderer behind an OpenAI-compatible server.
