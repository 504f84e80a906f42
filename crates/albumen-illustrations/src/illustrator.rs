//! The renderer: what it loads, and how a caption becomes a scene and a picture.

use std::path::Path;
use std::sync::Arc;

use albumen_vision::Embedder;
use image::RgbImage;
use rand::Rng;

use crate::error::Result;
use crate::icons::Icons;
use crate::matcher::{Matcher, best};
use crate::reading::{Mention, Reading, Subject, read};
use crate::scene::Scene;
use crate::style::{AlbumStyle, AlbumText};
use crate::tables::{Tables, person};
use crate::words::tokens;
use crate::{compose, paint, setting, style};

/// Least cosine at which an icon stands for a phrase that no table knows.
const ICON_COSINE: f32 = 0.52;

/// The same where a likeness is often false: verbs are a little like somebody's trade, and the
/// embedder's word pieces make rare words like those that begin alike ("hammock" and "hamster").
const DOUBTFUL_COSINE: f32 = 0.62;

/// The same for a whole caption in which nothing else was found.
const LAST_COSINE: f32 = 0.45;

/// Least cosine at which a caption without a place word is put into a place.
const PLACE_COSINE: f32 = 0.4;

/// Draws captions. Loading parses the icon file and embeds the icons' names; drawing is `&self`
/// and may run on many threads.
pub struct Illustrator {
    tables: Tables,
    icons: Icons,
    names: Vec<String>,
    /// Rows: icon names, then places, then palettes.
    matcher: Matcher,
}

impl Illustrator {
    /// Loads the icons of an iconify file (Fluent emoji flat). `cache` is where the embeddings of
    /// the icons' names are kept between runs: public data, made again where it does not fit.
    ///
    /// # Errors
    /// An icon file that is missing, malformed or of another set; a cache that cannot be written.
    pub fn load(icons_json: &Path, embedder: Arc<Embedder>, cache: Option<&Path>) -> Result<Self> {
        let tables = Tables::load()?;
        let icons = Icons::load(icons_json, &tables)?;
        let names: Vec<String> = icons.names().map(str::to_owned).collect();
        let mut texts: Vec<String> = names.iter().map(|n| icons.text(n)).collect();
        texts.extend(tables.places.values().map(|p| p.about.clone()));
        texts.extend(tables.palettes.values().map(|p| p.mood.clone()));
        let matcher = Matcher::new(embedder, &texts, cache)?;
        Ok(Self {
            tables,
            icons,
            names,
            matcher,
        })
    }

    /// The names of the icons that may be drawn, in order.
    pub fn icon_names(&self) -> &[String] {
        &self.names
    }

    /// The icon nearest in meaning to `phrase` and the cosine between them.
    ///
    /// # Errors
    /// Where the phrase cannot be embedded.
    pub fn nearest_icon(&self, phrase: &str) -> Result<Option<(&str, f32)>> {
        let all = self.matcher.similarities(phrase)?;
        Ok(best(&all[..self.names.len()]).map(|(i, cosine)| (self.names[i].as_str(), cosine)))
    }

    /// What the photos of an album share: palette, people, pets, season, place.
    ///
    /// # Errors
    /// Where the summary cannot be embedded.
    pub fn plan_album(&self, album: &AlbumText) -> Result<AlbumStyle> {
        let summary = self.read(album.summary, 0)?;
        let photos = album
            .captions
            .iter()
            .map(|c| self.read(c, 0))
            .collect::<Result<Vec<Reading>>>()?;
        let gist = if album.summary.trim().is_empty() {
            album.captions.join(" ")
        } else {
            album.summary.to_owned()
        };
        let all = self.matcher.similarities(&gist)?;
        let moods = &all[self.names.len() + self.tables.places.len()..];
        let place = self.like(&all);
        Ok(style::plan(
            album,
            &self.tables,
            &summary,
            &photos,
            moods,
            place,
        ))
    }

    /// Plans photo number `photo` of an album, for a picture of `size` (width, height).
    ///
    /// # Errors
    /// Where the caption cannot be embedded or an icon is damaged.
    pub fn scene(
        &self,
        style: &AlbumStyle,
        caption: &str,
        photo: u64,
        size: (u32, u32),
    ) -> Result<Scene> {
        let mut rng = style.stream("photo", photo);
        let mut reading = self.read(caption, rng.random_range(0..usize::from(u16::MAX)))?;
        if reading.mentions.is_empty() && reading.place.is_none() {
            reading.mentions.extend(self.last_guess(caption)?);
        }
        // "They walk along the shore": the album's own people stand in for nobody by name.
        if reading.mentions.is_empty() {
            // Beside a named place only they do: the album's churches do not stand in every lake.
            let mut recurring = style.recurring.iter();
            let placed = reading.place.is_some();
            let stand_in = recurring.find(|m| !placed || setting::living(m, &self.icons));
            reading.mentions.extend(stand_in.cloned());
        }
        let like = || Ok(self.like(&self.matcher.similarities(caption)?));
        let place = setting::place(&reading, style, &self.tables, &self.icons, &like)?;
        let background = setting::background(place, &reading, style, &self.tables, &mut rng);
        let place = &self.tables.places[&background.place];
        let aspect = size.0.max(1) as f32 / size.1.max(1) as f32;
        compose::compose(
            background,
            place,
            &reading,
            style,
            &self.icons,
            aspect,
            &mut rng,
        )
    }

    /// Draws photo number `photo` of an album at `size` (width, height) pixels.
    ///
    /// # Errors
    /// As [`Illustrator::scene`]; also where a side of `size` is 0 or over 8192.
    pub fn draw(
        &self,
        style: &AlbumStyle,
        caption: &str,
        photo: u64,
        size: (u32, u32),
    ) -> Result<RgbImage> {
        let scene = self.scene(style, caption, photo, size)?;
        paint::paint(&scene, style, &self.tables, &self.icons, size)
    }

    fn read(&self, text: &str, choice: usize) -> Result<Reading> {
        let guess = |phrase: &str| -> Result<Option<String>> {
            let near = self.nearest_icon(phrase)?.filter(|(name, cosine)| {
                *cosine
                    >= if doubtful(phrase, name) {
                        DOUBTFUL_COSINE
                    } else {
                        ICON_COSINE
                    }
            });
            Ok(near.map(|(name, _)| name.to_owned()))
        };
        read(text, &self.tables, &guess, choice)
    }

    /// The thing that a whole caption is most like, where its words gave nothing.
    fn last_guess(&self, caption: &str) -> Result<Option<Mention>> {
        if caption.trim().is_empty() {
            return Ok(None);
        }
        let near = self.nearest_icon(caption)?;
        let near = near.filter(|(name, cosine)| *cosine >= LAST_COSINE && !doubtful(caption, name));
        Ok(near.map(|(name, _)| Mention {
            subject: Subject::Icon(name.to_owned()),
            count: 1,
            colour: None,
            hedged: true,
        }))
    }

    /// The place whose description a text is most like, by its similarities, if any is near enough.
    fn like(&self, similarities: &[f32]) -> Option<String> {
        let n = self.names.len();
        let (i, cosine) = best(&similarities[n..n + self.tables.places.len()])?;
        let name = self.tables.places.keys().nth(i)?;
        (cosine >= PLACE_COSINE).then(|| name.clone())
    }
}

/// Whether a likeness of `phrase` and the icon `name` needs more than the usual cosine.
fn doubtful(phrase: &str, name: &str) -> bool {
    let alike = tokens(phrase)
        .iter()
        .any(|word| word.get(..3).is_some_and(|start| name.starts_with(start)));
    alike || phrase.ends_with("ing") || person(name).is_some()
}
