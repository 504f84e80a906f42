use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::DpError;

/// Where private randomness comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Randomness {
    /// ChaCha20 keyed by the operating system: the only choice under which the guarantee holds.
    Os,
    /// ChaCha20 keyed by a known number, for tests and `--insecure-seed`. Whoever knows the seed can
    /// subtract the noise, so the ledger's header must say so.
    InsecureSeed(u64),
}

impl Randomness {
    /// True where the guarantee does not hold because the seed is known.
    pub fn is_insecure(self) -> bool {
        matches!(self, Self::InsecureSeed(_))
    }

    /// A fresh generator for `purpose`; two purposes never share a key.
    pub(crate) fn generator(self, purpose: u64) -> Result<ChaCha20Rng, DpError> {
        match self {
            Self::Os => {
                let mut key = [0_u8; 32];
                getrandom::fill(&mut key).map_err(DpError::Randomness)?;
                Ok(ChaCha20Rng::from_seed(key))
            }
            Self::InsecureSeed(seed) => {
                let mut key = [0_u8; 32];
                key[..8].copy_from_slice(&seed.to_le_bytes());
                key[8..16].copy_from_slice(&purpose.to_le_bytes());
                Ok(ChaCha20Rng::from_seed(key))
            }
        }
    }
}
