//! What the photos of one album share: palette, cast, season, place.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::colour::Rgb;
use crate::icons::{Icons, Recolour, TONES};
use crate::reading::{Mention, Reading, Subject};
use crate::scene::{Season, TimeOfDay, Weather};
use crate::tables::{Palette, Tables};

/// An album as text.
#[derive(Debug, Clone, Copy)]
pub struct AlbumText<'a> {
    /// The album's summary; may be empty.
    pub summary: &'a str,
    /// The captions of its photos, in order.
    pub captions: &'a [String],
    /// The run's seed for rendering. Two albums of equal text and seed get equal pictures.
    pub seed: u64,
}

/// What the photos of one album share. Made by [`Illustrator::plan_album`].
///
/// [`Illustrator::plan_album`]: crate::Illustrator::plan_album
#[derive(Debug, Clone)]
pub struct AlbumStyle {
    /// Seeds every picture of the album.
    pub(crate) key: [u8; 32],
    pub(crate) palette_name: String,
    pub(crate) palette: Palette,
    pub(crate) place: Option<String>,
    pub(crate) time: Option<TimeOfDay>,
    pub(crate) weather: Option<Weather>,
    pub(crate) season: Season,
    /// Who and what the album is about: stands in where a caption names nobody.
    pub(crate) recurring: Vec<Mention>,
}

impl AlbumStyle {
    /// The name of the album's palette in `data/palettes.toml`.
    pub fn palette(&self) -> &str {
        &self.palette_name
    }

    /// A stream for one purpose, the same at every call.
    pub(crate) fn stream(&self, purpose: &str, index: u64) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(purpose.as_bytes());
        hash.update([0]);
        hash.update(index.to_le_bytes());
        ChaCha8Rng::from_seed(hash.finalize().into())
    }

    /// The icon of a person: the same role has the same skin, hair and clothes in every photo.
    /// `ordinal` tells two people of one role apart.
    pub(crate) fn person(
        &self,
        icons: &Icons,
        role: &str,
        ordinal: usize,
        pose: &str,
    ) -> (String, Option<Recolour>) {
        let mut rng = self.stream(role, ordinal as u64);
        let family: usize = self.stream("skin", 0).random_range(0..TONES.len());
        // The first of each role are a family; strangers look as they will.
        let stranger = ordinal > 0 || role == "person";
        let tone = if stranger {
            rng.random_range(0..TONES.len())
        } else {
            family
        };
        let woman = match role {
            "woman" | "girl" | "elder_woman" => true,
            "man" | "boy" | "elder_man" => false,
            _ => rng.random_bool(0.5),
        };
        let sex = if woman { "woman" } else { "man" };
        // The same hue is water in a swimmer's icon, and a worker's clothes are the trade's.
        let dressed = matches!(
            pose,
            "standing"
                | "walking"
                | "running"
                | "kneeling"
                | "cartwheeling"
                | "biking"
                | "golfing"
                | "bouncing-ball"
                | "playing-handball"
                | "lifting-weights"
                | "in-lotus-position"
        );
        let from = Rgb::hex(if woman { "8d65c5" } else { "00a6ed" }).unwrap_or(Rgb::WHITE);
        let plain = [pose, "standing"]
            .iter()
            .flat_map(|p| [format!("{sex}-{p}"), format!("person-{p}"), (*p).to_owned()])
            .find(|name| icons.has(name))
            .unwrap_or_else(|| "person-standing".to_owned());
        let toned = format!("{plain}-{}", TONES[tone]);
        let name = if icons.has(&toned) { toned } else { plain };
        (
            name,
            dressed.then(|| Recolour {
                from,
                to: self.clothes(role, ordinal),
            }),
        )
    }

    /// Everyone's shirt has its own colour, the same in every photo.
    fn clothes(&self, role: &str, ordinal: usize) -> Rgb {
        const WARDROBE: [&str; 8] = [
            "d9534a", "2f7fb8", "e8a33d", "4d9a63", "8a5fb0", "d9799b", "3aa39b", "7b6a58",
        ];
        const ROLES: [&str; 7] = [
            "woman",
            "man",
            "girl",
            "boy",
            "person",
            "elder_woman",
            "elder_man",
        ];
        let first: usize = self.stream("wardrobe", 0).random_range(0..WARDROBE.len());
        let role = ROLES.iter().position(|r| *r == role).unwrap_or(0);
        // Steps of three visit all eight before one comes again.
        let at = (first + 3 * role + 7 * ordinal) % WARDROBE.len();
        Rgb::hex(WARDROBE[at]).unwrap_or(self.palette.accent[0])
    }

    /// The coat of a pet: an album's dog is the same dog in every photo.
    pub(crate) fn coat(&self, icon: &str) -> Option<Rgb> {
        let coats: &[&str] = match icon {
            "dog" => &["", "9a6540", "8d8f99", "e6cc9c"],
            "cat" => &["", "8d8f99", "9a6540"],
            "horse" => &["", "b9a48c", "7b4429"],
            "rabbit" => &["", "b98d62", "a3a3ab"],
            _ => return None,
        };
        coats
            .choose(&mut self.stream(icon, 0))
            .and_then(|hex| Rgb::hex(hex))
    }
}

/// Makes the style of an album from what its summary and captions say. `moods` are the summary's
/// similarities with the palettes, `places` with the places, both in the tables' order.
pub(crate) fn plan(
    text: &AlbumText,
    tables: &Tables,
    summary: &Reading,
    photos: &[Reading],
    moods: &[f32],
    place: Option<String>,
) -> AlbumStyle {
    let mut hash = Sha256::new();
    hash.update(text.seed.to_le_bytes());
    for part in std::iter::once(text.summary).chain(text.captions.iter().map(String::as_str)) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let key: [u8; 32] = hash.finalize().into();
    let mut rng = ChaCha8Rng::from_seed(key);
    let palette_name = choose_palette(tables, moods, &mut rng);
    let palette = tables.palettes[&palette_name]
        .turned(rng.random_range(-7.0..7.0), rng.random_range(0.96..1.04));
    let majority = |pick: &dyn Fn(&Reading) -> Option<String>| {
        pick(summary).or_else(|| {
            let mut tally: BTreeMap<String, usize> = BTreeMap::new();
            for name in photos.iter().filter_map(pick) {
                *tally.entry(name).or_default() += 1;
            }
            let most = tally.into_iter().max_by_key(|(_, n)| *n);
            most.filter(|(_, n)| *n * 2 > photos.len())
                .map(|(name, _)| name)
        })
    };
    let seasons = [
        Season::Spring,
        Season::Summer,
        Season::Summer,
        Season::Autumn,
    ];
    let season = majority(&|r| r.season.clone())
        .and_then(|name| Season::named(&name))
        .unwrap_or(seasons[rng.random_range(0..seasons.len())]);
    AlbumStyle {
        key,
        palette_name,
        palette,
        place: majority(&|r| r.place.clone()).or(place),
        time: summary.time.as_deref().map(TimeOfDay::named),
        weather: summary.weather.as_deref().map(Weather::named),
        season,
        recurring: recurring(summary, photos),
    }
}

/// The nearest mood mostly, the second sometimes: albums of one theme do not all look alike.
fn choose_palette(tables: &Tables, moods: &[f32], rng: &mut ChaCha8Rng) -> String {
    let mut order: Vec<(&String, f32)> =
        tables.palettes.keys().zip(moods.iter().copied()).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let second = order.len() > 1 && order[0].1 - order[1].1 < 0.08 && rng.random_bool(0.4);
    order
        .get(usize::from(second))
        .map(|(name, _)| (*name).clone())
        .unwrap_or_default()
}

/// What the summary names, and what two captions name.
fn recurring(summary: &Reading, photos: &[Reading]) -> Vec<Mention> {
    let mut out: Vec<Mention> = summary
        .mentions
        .iter()
        .filter(|m| !m.hedged)
        .cloned()
        .collect();
    let mut seen: Vec<(&Subject, usize)> = Vec::new();
    for m in photos
        .iter()
        .flat_map(|r| &r.mentions)
        .filter(|m| !m.hedged)
    {
        match seen.iter_mut().find(|(s, _)| *s == &m.subject) {
            Some((_, n)) => *n += 1,
            None => seen.push((&m.subject, 1)),
        }
        let often = seen.iter().any(|(s, n)| *s == &m.subject && *n == 2);
        if often && !out.iter().any(|o| o.subject == m.subject) {
            out.push(m.clone());
        }
    }
    out
}

impl Palette {
    /// Every hue turned by `degrees`, every colour scaled by `light`.
    fn turned(&self, degrees: f32, light: f32) -> Self {
        let t = |c: Rgb| {
            let (h, s, l) = c.hsl();
            Rgb::from_hsl(h + degrees, s, (l * light).min(0.98))
        };
        Self {
            mood: self.mood.clone(),
            sky: self.sky.map(t),
            dusk: self.dusk.map(t),
            night: self.night.map(t),
            far: self.far.map(t),
            grass: t(self.grass),
            sand: t(self.sand),
            earth: t(self.earth),
            water: t(self.water),
            stone: t(self.stone),
            wall: t(self.wall),
            floor: t(self.floor),
            cloth: t(self.cloth),
            curtain: t(self.curtain),
            accent: self.accent.map(t),
            tint: self.tint,
        }
    }
}
