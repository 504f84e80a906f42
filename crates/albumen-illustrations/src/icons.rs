//! The icon pool: SVG bodies of an iconify file, parsed once each, recoloured on request.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use resvg::{tiny_skia, usvg};
use serde::Deserialize;

use crate::colour::Rgb;
use crate::error::{IllustrationError, Result, read_file};
use crate::tables::{Stance, Tables};

/// Side of the raster in which an icon's main colour and bounds are measured, in pixels.
const PROBE: u32 = 64;

/// The part of an iconify JSON file that is read.
#[derive(Deserialize)]
struct IconFile {
    icons: HashMap<String, IconBody>,
    #[serde(default = "default_side")]
    width: f32,
    #[serde(default = "default_side")]
    height: f32,
}

#[derive(Deserialize)]
struct IconBody {
    body: String,
}

/// iconify's default view box.
fn default_side() -> f32 {
    16.0
}

/// What the tables say of an icon.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) stance: Stance,
    pub(crate) place: String,
    pub(crate) metres: f32,
    /// Lives: an animal or a person.
    pub(crate) living: bool,
    pub(crate) theme: String,
}

/// The drawn part of an icon within its square (0 to 1), and its main colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
    pub(crate) main: Rgb,
}

impl Look {
    /// Width over height of the drawn part.
    pub(crate) fn aspect(&self) -> f32 {
        (self.right - self.left) / (self.bottom - self.top)
    }
}

/// Colours near `from` become `to`, lighter and darker shades alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recolour {
    /// The colour that is replaced.
    pub from: Rgb,
    /// The colour that takes its place.
    pub to: Rgb,
}

/// The icons of one file that the tables name, with their skin tone variants.
pub(crate) struct Icons {
    bodies: HashMap<String, String>,
    side: (f32, f32),
    facts: BTreeMap<String, Facts>,
    trees: RwLock<HashMap<String, Arc<usvg::Tree>>>,
    looks: RwLock<HashMap<String, Look>>,
}

/// The skin tones of Fluent emoji, as they end an icon's name.
pub(crate) const TONES: [&str; 5] = ["light", "medium-light", "medium", "medium-dark", "dark"];

impl Icons {
    /// Reads `path` and keeps what `tables` names.
    pub(crate) fn load(path: &Path, tables: &Tables) -> Result<Self> {
        let bytes = read_file(path)?;
        let invalid = |offset: usize, reason: String| IllustrationError::Format {
            path: path.to_owned(),
            format: "iconify icons.json",
            offset,
            reason,
        };
        let mut file: IconFile = serde_json::from_slice(&bytes)
            .map_err(|e| invalid(offset(&bytes, e.line(), e.column()), e.to_string()))?;
        let mut facts = BTreeMap::new();
        let mut bodies = HashMap::new();
        for group in tables.groups.values() {
            for (icon, &metres) in &group.icons {
                let Some(found) = file.icons.remove(icon) else {
                    continue;
                };
                bodies.insert(icon.clone(), found.body);
                for tone in TONES {
                    let variant = format!("{icon}-{tone}");
                    if let Some(found) = file.icons.remove(&variant) {
                        bodies.insert(variant, found.body);
                    }
                }
                facts.insert(
                    icon.clone(),
                    Facts {
                        stance: group.stance,
                        place: group.place.clone(),
                        metres,
                        living: group.living(),
                        theme: group.theme.clone(),
                    },
                );
            }
        }
        if facts.is_empty() {
            let reason = format!(
                "none of its {} icons is one that the renderer knows; it must be the Fluent emoji flat set",
                file.icons.len()
            );
            return Err(invalid(0, reason));
        }
        let (trees, looks) = (RwLock::default(), RwLock::default());
        Ok(Self {
            bodies,
            side: (file.width, file.height),
            facts,
            trees,
            looks,
        })
    }

    /// The pool's names in order, without skin tone variants.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.facts.keys().map(String::as_str)
    }

    /// The text that stands for an icon when meanings are compared.
    pub(crate) fn text(&self, name: &str) -> String {
        let plain = name.replace('-', " ");
        match self.facts(name) {
            Some(facts) => format!("{plain} ({})", facts.theme),
            None => plain,
        }
    }

    /// Whether an icon or a variant of one can be drawn.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.bodies.contains_key(name)
    }

    /// The facts of an icon; a skin tone variant has its parent's.
    pub(crate) fn facts(&self, name: &str) -> Option<&Facts> {
        self.facts
            .get(name)
            .or_else(|| self.facts.get(base_name(name)))
    }

    /// The parsed picture, parsed at most once for each recolouring.
    pub(crate) fn tree(&self, name: &str, change: Option<Recolour>) -> Result<Arc<usvg::Tree>> {
        let key = match change {
            Some(c) => format!("{name} {} {}", c.from.to_hex(), c.to.to_hex()),
            None => name.to_owned(),
        };
        let known = self
            .trees
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(tree) = known {
            return Ok(tree);
        }
        let body = self.bodies.get(name).map_or("", String::as_str);
        let body = change.map_or_else(|| body.to_owned(), |c| recoloured(body, c));
        let (w, h) = self.side;
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}">{body}</svg>"#
        );
        let tree = usvg::Tree::from_str(&svg, &usvg::Options::default()).map_err(|e| {
            IllustrationError::Picture {
                reason: format!("icon `{name}` is not valid SVG: {e}"),
            }
        })?;
        let tree = Arc::new(tree);
        let mut trees = self.trees.write().unwrap_or_else(PoisonError::into_inner);
        Ok(trees.entry(key).or_insert(tree).clone())
    }

    /// Bounds and main colour, measured at most once.
    pub(crate) fn look(&self, name: &str) -> Result<Look> {
        let known = self
            .looks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .copied();
        if let Some(look) = known {
            return Ok(look);
        }
        let tree = self.tree(name, None)?;
        let look = measure(&tree).ok_or_else(|| IllustrationError::Picture {
            reason: format!("icon `{name}` draws nothing"),
        })?;
        let mut looks = self.looks.write().unwrap_or_else(PoisonError::into_inner);
        Ok(*looks.entry(name.to_owned()).or_insert(look))
    }
}

/// The name without its skin tone.
fn base_name(name: &str) -> &str {
    // The longer endings first: `-medium-light` also ends in `-light`.
    [
        "-medium-light",
        "-medium-dark",
        "-light",
        "-medium",
        "-dark",
    ]
    .iter()
    .find_map(|tone| name.strip_suffix(tone))
    .unwrap_or(name)
}

/// Byte offset of a line and column (both from 1).
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let start: usize = bytes
        .split_inclusive(|b| *b == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    start + column.saturating_sub(1)
}

/// Draws the icon small and reads its bounds and commonest colour.
fn measure(tree: &usvg::Tree) -> Option<Look> {
    let mut probe = tiny_skia::Pixmap::new(PROBE, PROBE)?;
    let size = tree.size();
    let fit =
        tiny_skia::Transform::from_scale(PROBE as f32 / size.width(), PROBE as f32 / size.height());
    resvg::render(tree, fit, &mut probe.as_mut());
    let (mut left, mut top, mut right, mut bottom) = (PROBE, PROBE, 0, 0);
    let mut tally: BTreeMap<[u8; 3], usize> = BTreeMap::new();
    for (i, p) in probe.pixels().iter().enumerate() {
        let (x, y) = (i as u32 % PROBE, i as u32 / PROBE);
        if p.alpha() > 24 {
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
        }
        if p.alpha() == 255 {
            *tally.entry([p.red(), p.green(), p.blue()]).or_default() += 1;
        }
    }
    let [r, g, b] = *tally.iter().max_by_key(|(_, n)| **n)?.0;
    let unit = |v: u32| v as f32 / PROBE as f32;
    Some(Look {
        left: unit(left),
        top: unit(top),
        right: unit(right),
        bottom: unit(bottom),
        main: Rgb::new(
            f32::from(r) / 255.0,
            f32::from(g) / 255.0,
            f32::from(b) / 255.0,
        ),
    })
}

/// Replaces every `#rrggbb` of the body that is a shade of `change.from`.
fn recoloured(body: &str, change: Recolour) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('#') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest[1..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let token = &rest[..=digits];
        match Rgb::hex(token) {
            Some(colour) => out.push_str(&shade_of(colour, change).to_hex()),
            None => out.push_str(token),
        }
        rest = &rest[token.len()..];
    }
    out.push_str(rest);
    out
}

fn shade_of(colour: Rgb, change: Recolour) -> Rgb {
    let (h, s, l) = colour.hsl();
    let (fh, fs, fl) = change.from.hsl();
    let (th, ts, tl) = change.to.hsl();
    let near = if fs < 0.2 {
        // A grey or white icon: its greys change, its eyes and lines do not.
        s < 0.25 && (l - fl).abs() < 0.35 && l > 0.25
    } else {
        s > 0.2 && Rgb::hue_distance(h, fh) < 24.0 && l > 0.12
    };
    if !near {
        return colour;
    }
    let sat = if fs < 0.2 {
        ts
    } else {
        (ts * s / fs).clamp(0.0, 1.0)
    };
    Rgb::from_hsl(th, sat, (tl + (l - fl) * 0.8).clamp(0.04, 0.97))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skin_tones_are_cut_from_names() {
        assert_eq!(base_name("woman-walking-medium-light"), "woman-walking");
        assert_eq!(base_name("woman-walking-dark"), "woman-walking");
        assert_eq!(base_name("dog"), "dog");
    }

    #[test]
    fn recolouring_changes_shades_and_keeps_the_rest() {
        let change = Recolour {
            from: Rgb::hex("ff0000").unwrap(),
            to: Rgb::hex("0000ff").unwrap(),
        };
        let out = recoloured(
            r##"<path fill="#f00"/><path fill="#00ff00"/><use href="#a1"/>"##,
            change,
        );
        assert_eq!(
            out,
            r##"<path fill="#0000ff"/><path fill="#00ff00"/><use href="#a1"/>"##
        );
    }
}
