//! Who has which album with which photos, drawn from a seed.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::themes::{THEMES, Theme};

/// Bounds of the number of photos of an album.
const PHOTOS: std::ops::RangeInclusive<usize> = 3..=8;
/// Most albums of one owner.
pub(crate) const MAX_ALBUMS: usize = 4;

/// One album to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlannedAlbum {
    /// `album-0001`.
    pub(crate) id: String,
    /// `owner-0001`.
    pub(crate) owner: String,
    pub(crate) title: &'static str,
    /// Ids of its photos, in album order.
    pub(crate) photos: Vec<String>,
}

/// Draws the albums. `ids` are the photos at hand, in the order of their table.
pub(crate) fn plan(ids: &[String], owners: usize, albums: usize, seed: u64) -> Vec<PlannedAlbum> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pools: Vec<Pool<'_>> = THEMES
        .iter()
        .map(|theme| Pool {
            theme,
            ids: ids.iter().filter(|id| theme.takes(id)).collect(),
        })
        .filter(|pool| pool.ids.len() >= *PHOTOS.start())
        .collect();
    let mut planned = Vec::with_capacity(albums);
    for (owner, albums) in albums_of_owners(owners, albums, &mut rng)
        .into_iter()
        .enumerate()
    {
        let taste_for = rng.random_range(2..=3);
        let weight = |pool: &Pool<'_>| pool.theme.weight;
        let taste: Vec<&Pool<'_>> =
            match pools.choose_multiple_weighted(&mut rng, taste_for, weight) {
                Ok(taste) => taste.collect(),
                Err(_) => Vec::new(),
            };
        for _ in 0..albums {
            let Some(pool) = taste.choose(&mut rng) else {
                continue;
            };
            let most = (*PHOTOS.end()).min(pool.ids.len());
            let count = rng.random_range(*PHOTOS.start()..=most);
            let photos = pool
                .ids
                .choose_multiple(&mut rng, count)
                .map(|id| (*id).clone())
                .collect();
            planned.push(PlannedAlbum {
                id: format!("album-{:04}", planned.len() + 1),
                owner: format!("owner-{:04}", owner + 1),
                title: pool
                    .theme
                    .titles
                    .choose(&mut rng)
                    .copied()
                    .unwrap_or(pool.theme.name),
                photos,
            });
        }
    }
    planned
}

struct Pool<'a> {
    theme: &'static Theme,
    ids: Vec<&'a String>,
}

/// How many albums each owner has: one each, the rest to owners with fewer than [`MAX_ALBUMS`].
fn albums_of_owners(owners: usize, albums: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut further: Vec<usize> = (0..owners).flat_map(|o| [o; MAX_ALBUMS - 1]).collect();
    further.shuffle(rng);
    let mut counts = vec![1; owners];
    for &owner in further.iter().take(albums.saturating_sub(owners)) {
        counts[owner] += 1;
    }
    counts
}
