//! Paints a [`Scene`]: background, items with their shadows, weather, the album's tint.

mod canvas;
mod details;
mod elsewhere;
mod ground;
mod inside;
mod items;
mod land;
mod light;
mod sky;

use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::canvas::Canvas;
use self::light::Light;
use crate::colour::Rgb;
use crate::error::{IllustrationError, Result};
use crate::icons::Icons;
use crate::scene::Scene;
use crate::style::AlbumStyle;
use crate::tables::{Kind, Tables};

/// How strongly the album's tint lies over every photo.
const TINT: f32 = 0.42;

/// Paints `scene` at `size` (width, height) pixels.
pub(super) fn paint(
    scene: &Scene,
    style: &AlbumStyle,
    tables: &Tables,
    icons: &Icons,
    size: (u32, u32),
) -> Result<RgbImage> {
    let b = &scene.background;
    let p = &style.palette;
    let too_large = || IllustrationError::Picture {
        reason: format!(
            "cannot paint {} x {} pixels; both sides must be 1 to 8192",
            size.0, size.1
        ),
    };
    if size.0.max(size.1) > 8192 {
        return Err(too_large());
    }
    let mut c = Canvas::new(size.0, size.1).ok_or_else(too_large)?;
    let place = tables
        .places
        .get(&b.place)
        .ok_or_else(|| IllustrationError::Picture {
            reason: format!("place `{}` is not in the renderer's table", b.place),
        })?;
    let light = Light::new(b, p, place.kind);
    let mut rng = ChaCha8Rng::seed_from_u64(b.seed);
    match place.kind {
        Kind::Outdoor => {
            sky::sky(&mut c, b, &light, &mut rng);
            land::far(&mut c, place.far, b, p, &light, &mut rng);
            ground::ground(&mut c, place.ground, b, p, &light, &mut rng);
            details::behind(&mut c, place, b, p, &light, &mut rng);
        }
        Kind::Room => inside::room(&mut c, place, b, p, &light),
        Kind::Table => inside::table(&mut c, place, b, p, &light, &mut rng),
        Kind::Stage => elsewhere::stage(&mut c, b, p, &mut rng),
        Kind::Underwater => elsewhere::underwater(&mut c, b, p, &mut rng),
        Kind::Space => elsewhere::space(&mut c, p, &mut rng),
    }
    for item in &scene.items {
        items::item(&mut c, item, b, place, p, &light, icons)?;
    }
    if place.kind == Kind::Outdoor {
        details::before(&mut c, place, b, p, &light, &mut rng);
        sky::falling(&mut c, b, &light, &mut rng);
    }
    c.multiply(Rgb::WHITE.mix(p.tint, TINT));
    vignette(&mut c);
    Ok(flatten(&c, size))
}

/// The corners are a little darker, as in a photo.
fn vignette(c: &mut Canvas) {
    let r = 0.62;
    for at in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        c.glow(at, r, r, Rgb::BLACK, 0.07);
    }
}

/// The pixmap is opaque, so its premultiplied colours are the colours.
fn flatten(c: &Canvas, size: (u32, u32)) -> RgbImage {
    let pixels = c.pixmap.pixels();
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let p = pixels[(y * size.0 + x) as usize];
        image::Rgb([p.red(), p.green(), p.blue()])
    })
}
