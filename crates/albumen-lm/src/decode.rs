//! Batched generation with a key/value cache.
//!
//! Every step feeds each branch in work what it has not seen yet: a prompt at first, then the token
//! drawn last. A branch that ends leaves its place to the next one, so that short texts do not
//! leave the batch idle (Yu et al. 2022, "Orca", OSDI, section 3.1).

mod request;

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::LmError;
use crate::kernels::cpu::attention::cap;
use crate::kernels::{AttentionShape, Cache, Cpu, Decode, Feed, on_pool};
use crate::lora::Adapter;
use crate::model::{DeviceAdapter, Lm};
use crate::sampler::Sampler;

pub use request::{Branch, DecodeOptions, Generation, Request, Stop};

/// Rows of one forward pass; prompts beyond it wait for the next.
const ROWS: usize = 1024;

/// Keys and values of tokens that stand before every request, or every training sequence, computed
/// once.
pub struct Prefix<K: Decode = Cpu> {
    /// For decoding.
    cache: K::Cache,
    /// For training: rows of queries, keys and values, (tokens, q + 2 kv), a matrix for each layer.
    rows: Vec<K::Matrix>,
}

impl<K: Decode> Prefix<K> {
    /// Tokens in the prefix.
    #[expect(clippy::len_without_is_empty, reason = "no prefix is empty")]
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    pub(crate) fn rows(&self) -> &[K::Matrix] {
        &self.rows
    }
}

/// A branch in work.
struct Slot<K: Decode> {
    request: usize,
    branch: usize,
    trunk: Option<Arc<K::Cache>>,
    own: K::Cache,
    /// Trunk, prompt and new tokens.
    history: Vec<u32>,
    /// How many tokens of `history` the caches hold.
    seen: usize,
    /// How many tokens of `history` were given.
    given: usize,
    /// How long `history` may grow.
    limit: usize,
    sampler: Sampler,
}

/// What all passes of one call share.
struct Decoder<'a, K: Decode> {
    lm: &'a Lm<K>,
    adapter: Option<DeviceAdapter<'a, K>>,
    prefix: Option<&'a K::Cache>,
}

impl<K: Decode> Lm<K> {
    /// The keys and values of `tokens`, to stand before requests of the same adapter. Made without
    /// one, they may stand before requests and sequences of any: the adapter then acts on what comes
    /// after them only.
    ///
    /// # Errors
    /// Where there is no token, or a token, a position or the parameters do not fit the model.
    pub fn prefix(
        &self,
        adapter: Option<Adapter<'_>>,
        tokens: &[u32],
    ) -> Result<Prefix<K>, LmError> {
        if tokens.is_empty() {
            return Err(LmError::Decoding(
                "a prefix needs at least one token".into(),
            ));
        }
        self.check_tokens(tokens)?;
        self.check_position(tokens.len())?;
        let decoder = Decoder::new(self, adapter, None)?;
        on_pool(|| {
            let mut cache = decoder.new_cache(tokens.len())?;
            let mut rows = Vec::with_capacity(self.layers.len());
            let feed = Feed {
                tokens,
                before: Vec::new(),
                own: &mut cache,
            };
            let mut keep = |qkv: &K::Matrix| {
                rows.push(self.kernels.copy(qkv)?);
                Ok(())
            };
            decoder.pass(&mut [feed], &mut keep)?;
            Ok(Prefix { cache, rows })
        })
    }

    /// Continues every branch of every request: `sink(request, branch, generation)` as each ends,
    /// in no fixed order. The text of a branch depends on the model, its tokens, the seed and its
    /// stream; with the `cpu` kernels, on neither the batch nor the number of threads.
    ///
    /// # Errors
    /// Where a token, a position, the parameters or an option do not fit; nothing was generated
    /// then.
    pub fn generate(
        &self,
        adapter: Option<Adapter<'_>>,
        prefix: Option<&Prefix<K>>,
        requests: &[Request],
        options: &DecodeOptions,
        sink: &mut dyn FnMut(usize, usize, Generation),
    ) -> Result<(), LmError> {
        self.check_requests(prefix.map_or(0, Prefix::len), requests, options)?;
        let decoder = Decoder::new(self, adapter, prefix.map(|p| &p.cache))?;
        let mut waiting: VecDeque<(usize, usize)> = (0..requests.len())
            .flat_map(|r| (0..requests[r].branches.len()).map(move |b| (r, b)))
            .collect();
        let mut slots: Vec<Slot<K>> = Vec::with_capacity(options.batch);
        let mut trunk: Option<(usize, Arc<K::Cache>)> = None;
        while !(waiting.is_empty() && slots.is_empty()) {
            let ended = on_pool(|| {
                let free = options.batch - slots.len();
                let next: Vec<_> = waiting.drain(..free.min(waiting.len())).collect();
                decoder.admit(requests, &next, options, &mut trunk, &mut slots)?;
                decoder.step(&mut slots, options)
            })?;
            for (slot, stop) in ended {
                let tokens = slot.history[slot.given..].to_vec();
                sink(slot.request, slot.branch, Generation { tokens, stop });
            }
        }
        Ok(())
    }

    fn check_requests(
        &self,
        prefix: usize,
        requests: &[Request],
        options: &DecodeOptions,
    ) -> Result<(), LmError> {
        options.sampling.check()?;
        for (name, value) in [
            ("batch", options.batch),
            ("max_new_tokens", options.max_new_tokens),
        ] {
            if value == 0 {
                return Err(LmError::Decoding(format!(
                    "{name} is 0; it must be 1 or more"
                )));
            }
        }
        for request in requests {
            self.check_tokens(&request.trunk)?;
            for branch in &request.branches {
                self.check_tokens(&branch.prompt)?;
                let given = request.trunk.len() + branch.prompt.len();
                if given == 0 {
                    let why = "a branch needs a token in its prompt or its trunk";
                    return Err(LmError::Decoding(why.into()));
                }
                self.check_position(prefix + given)?;
            }
        }
        Ok(())
    }
}

/// Tokens of the trunk that are computed once. Where a branch has no prompt, it starts with the
/// trunk's last token, since something must predict its first.
fn shared(request: &Request) -> usize {
    let bare = request.branches.iter().any(|b| b.prompt.is_empty());
    request.trunk.len() - usize::from(bare && !request.trunk.is_empty())
}

impl<'a, K: Decode> Decoder<'a, K> {
    fn new(
        lm: &'a Lm<K>,
        adapter: Option<Adapter<'a>>,
        prefix: Option<&'a K::Cache>,
    ) -> Result<Self, LmError> {
        let adapter = adapter.map(|a| lm.device_adapter(a)).transpose()?;
        Ok(Self {
            lm,
            adapter,
            prefix,
        })
    }

    fn new_cache(&self, tokens: usize) -> Result<K::Cache, LmError> {
        let layers = self.lm.layers.len();
        let shape = &self.lm.layers[0].shape;
        self.lm.kernels.new_cache(layers, shape, tokens)
    }

    /// Gives branches a slot, computing the trunks that are new.
    fn admit(
        &self,
        requests: &[Request],
        next: &[(usize, usize)],
        options: &DecodeOptions,
        last: &mut Option<(usize, Arc<K::Cache>)>,
        slots: &mut Vec<Slot<K>>,
    ) -> Result<(), LmError> {
        // Branches come in order, so that only the last trunk can be there already.
        let mut fresh: Vec<usize> = next.iter().map(|n| n.0).collect();
        fresh.dedup();
        fresh.retain(|&r| shared(&requests[r]) > 0 && last.as_ref().is_none_or(|l| l.0 != r));
        let mut caches: Vec<_> = fresh
            .iter()
            .map(|&r| self.new_cache(shared(&requests[r])))
            .collect::<Result<_, _>>()?;
        let feeds = fresh.iter().zip(&mut caches).map(|(&r, own)| {
            let tokens = &requests[r].trunk[..shared(&requests[r])];
            Feed {
                tokens,
                before: self.prefix.into_iter().collect(),
                own,
            }
        });
        self.feed(feeds.collect())?;
        let mut trunks: VecDeque<_> = fresh
            .into_iter()
            .zip(caches.into_iter().map(Arc::new))
            .collect();
        for &(request, branch) in next {
            if trunks.front().is_some_and(|t| t.0 == request) {
                *last = trunks.pop_front();
            }
            let trunk = last
                .as_ref()
                .filter(|l| l.0 == request)
                .map(|l| Arc::clone(&l.1));
            let Request {
                trunk: tokens,
                branches,
            } = &requests[request];
            let Branch { prompt, stream } = &branches[branch];
            let history = [&tokens[..], prompt].concat();
            let (given, seen) = (history.len(), trunk.as_ref().map_or(0, |t| t.len()));
            let room = self.lm.config.max_position - self.prefix.map_or(0, K::Cache::len);
            let limit = room.min(given + options.max_new_tokens);
            let own = self.new_cache(limit - seen)?;
            let sampler = Sampler::from_seed(options.sampling.clone(), options.seed, *stream)?;
            slots.push(Slot {
                request,
                branch,
                trunk,
                own,
                history,
                seen,
                given,
                limit,
                sampler,
            });
        }
        Ok(())
    }

    /// Draws the next token of every slot; gives the slots that ended.
    fn step(
        &self,
        slots: &mut Vec<Slot<K>>,
        options: &DecodeOptions,
    ) -> Result<Vec<(Slot<K>, Stop)>, LmError> {
        let feeds = slots.iter_mut().map(|slot| {
            let tokens = &slot.history[slot.seen..];
            slot.seen = slot.history.len();
            let before = self
                .prefix
                .into_iter()
                .chain(slot.trunk.as_deref())
                .collect();
            Feed {
                tokens,
                before,
                own: &mut slot.own,
            }
        });
        let last = self.feed(feeds.collect())?;
        let logits = self.lm.kernels.linear(&last, self.lm.head(), None)?; // (slots, vocab)
        let (vocab, softcap) = (self.lm.config.vocab_size, self.lm.config.final_softcap);
        let mut stops = Vec::with_capacity(slots.len());
        self.lm.kernels.consume(logits, &mut |logits| {
            let rows = logits.par_chunks_mut(vocab).zip(slots.par_iter_mut());
            let drawn = rows.map(|(logits, slot)| {
                if let Some(c) = softcap {
                    cap(logits, c);
                }
                let token = slot.sampler.next(logits, &slot.history);
                if options.stop_tokens.contains(&token) {
                    return Some(Stop::Token(token));
                }
                slot.history.push(token);
                (slot.history.len() == slot.limit).then_some(Stop::Length)
            });
            drawn.collect_into_vec(&mut stops);
        })?;
        let mut ended = Vec::new();
        for (i, stop) in stops.into_iter().enumerate().rev() {
            ended.extend(stop.map(|stop| (slots.swap_remove(i), stop)));
        }
        Ok(ended)
    }

    /// Runs tokens through the model and into their caches; gives the normalised last row of each
    /// feed, (feeds, hidden).
    fn feed(&self, mut feeds: Vec<Feed<'_, K::Cache>>) -> Result<K::Matrix, LmError> {
        let hidden = self.lm.config.hidden_size;
        let mut last = Vec::with_capacity(feeds.len() * hidden);
        let mut left = &mut feeds[..];
        while !left.is_empty() {
            let mut rows = 0;
            let fits = left.iter().take_while(|f| {
                rows += f.tokens.len();
                rows <= ROWS
            });
            let n = fits.count().max(1);
            let (now, later) = left.split_at_mut(n);
            last.extend(
                self.lm
                    .kernels
                    .download(&self.pass(now, &mut |_| Ok(()))?)?,
            );
            left = later;
        }
        self.lm.kernels.upload(&last, hidden)
    }

    /// `keep` gets each layer's rows of queries, keys and values.
    fn pass(
        &self,
        feeds: &mut [Feed<'_, K::Cache>],
        keep: &mut dyn FnMut(&K::Matrix) -> Result<(), LmError>,
    ) -> Result<K::Matrix, LmError> {
        let (lm, k) = (self.lm, &self.lm.kernels);
        let (mut tokens, mut positions, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for feed in feeds.iter() {
            let start: usize = feed.before.iter().map(|c| c.len()).sum::<usize>() + feed.own.len();
            positions.extend((start as u32..).take(feed.tokens.len()));
            tokens.extend_from_slice(feed.tokens);
            ends.push(tokens.len() as u32 - 1);
        }
        let angles = lm.angles(&positions)?;
        let mut h = k.embed(&lm.embedding, &tokens, lm.config.embedding_scale)?;
        for layer in 0..lm.layers.len() {
            let mut attend = |qkv: &K::Matrix, shape: &AttentionShape| {
                keep(qkv)?;
                Ok((k.attend(layer, qkv, shape, feeds)?, k.zeros(0, 0)?))
            };
            let adapter = self.adapter.as_ref();
            h = lm
                .layer_with(layer, h, &angles, adapter, false, &mut attend)?
                .0;
        }
        for feed in feeds.iter_mut() {
            feed.own.advance(feed.tokens.len());
        }
        let rows = k.gather(&h, &ends)?;
        Ok(k.rms_norm(&rows, &lm.final_norm, lm.eps())?.0)
    }
}
