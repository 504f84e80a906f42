//! Icons in the scene's light, with shadow, reflection, and bodies for heads.

use resvg::tiny_skia::{Pixmap, PixmapPaint, PremultipliedColorU8, Transform};

use super::canvas::Canvas;
use super::light::Light;
use crate::colour::Rgb;
use crate::error::Result;
use crate::icons::Icons;
use crate::scene::{Background, Item, TimeOfDay};
use crate::tables::{Kind, Palette, Place, Stance};

/// Paints one item.
pub(super) fn item(
    c: &mut Canvas,
    item: &Item,
    b: &Background,
    place: &Place,
    p: &Palette,
    light: &Light,
    icons: &Icons,
) -> Result<()> {
    let look = icons.look(&item.icon)?;
    let width = item.scale * look.aspect();
    let ambient = match place.kind {
        Kind::Underwater => Rgb::new(0.94, 0.98, 1.0),
        Kind::Stage | Kind::Space => Rgb::WHITE,
        // Icons keep more of their colour than the land, so that a night's subject stays legible.
        Kind::Outdoor | Kind::Room | Kind::Table => light.ambient.mix(Rgb::WHITE, 0.42),
    };
    let distance = if item.prop { 0.5 } else { 0.12 };
    let haze = if place.kind == Kind::Outdoor {
        light.haze_amount * distance
    } else {
        0.0
    };
    let foot = (item.x, item.y);
    let theme = icons.facts(&item.icon).map_or("", |f| f.theme.as_str());
    if item.stance == Stance::Table && place.kind == Kind::Room {
        side_table(c, item, width, light.near(p.floor.scaled(0.7)));
    }
    match item.stance {
        Stance::Ground | Stance::Table | Stance::Plant | Stance::Building | Stance::Head => {
            let deep = if item.stance == Stance::Building {
                0.035
            } else {
                0.055
            };
            let reach = match item.stance {
                Stance::Plant => 0.34,
                Stance::Head => 0.42,
                _ => 0.54,
            };
            let strength = if light.night { 0.5 } else { 0.36 };
            let ry = (width * deep).max(0.008) * 1.6;
            c.glow(
                (foot.0, foot.1 - ry * 0.1),
                width * reach,
                ry,
                Rgb::new(0.1, 0.08, 0.14),
                strength,
            );
        }
        Stance::Float => {
            // A boat's lowest part is its own block of water, which is taken away.
            let rise = if theme == "boat" { 0.13 } else { 0.0 };
            ripples(c, item, item.y - rise * item.scale, width, light);
        }
        Stance::Sky | Stance::Swim | Stance::Bust => {}
    }
    let mut bottom = item.y;
    if item.stance == Stance::Head {
        bottom -= item.scale * 0.5;
        let coat = item.recolour.map_or(look.main, |r| r.to);
        body(c, item, width, coat.times(ambient).mix(light.haze, haze));
    }
    // The icon's square so that its drawn part has the item's height, on its own pixmap.
    let side = item.scale * c.h / (look.bottom - look.top);
    let pixels = (side.ceil() as u32).clamp(1, 4096);
    let Some(mut stamp) = Pixmap::new(pixels, pixels) else {
        return Ok(());
    };
    let tree = icons.tree(&item.icon, item.recolour)?;
    let size = tree.size();
    let (sx, sy) = (side / size.width(), side / size.height());
    let place_icon = if item.flip {
        Transform::from_row(-sx, 0.0, 0.0, sy, side, 0.0)
    } else {
        Transform::from_scale(sx, sy)
    };
    resvg::render(&tree, place_icon, &mut stamp.as_mut());
    sink(&mut stamp, look.top, look.bottom, theme, item);
    shade(&mut stamp, ambient, light.haze, haze);
    let (l, r) = if item.flip {
        (1.0 - look.right, 1.0 - look.left)
    } else {
        (look.left, look.right)
    };
    let x = item.x * c.w - f32::midpoint(l, r) * side;
    let y = bottom * c.h - look.bottom * side;
    let fine = Transform::from_translate(x, y);
    let paint = PixmapPaint {
        quality: resvg::tiny_skia::FilterQuality::Bilinear,
        ..PixmapPaint::default()
    };
    c.pixmap
        .draw_pixmap(0, 0, stamp.as_ref(), &paint, fine, None);
    if b.time == TimeOfDay::Night && item.icon == "fire" {
        c.glow(
            (item.x, item.y - item.scale * 0.4),
            0.4,
            0.3,
            Rgb::new(1.0, 0.62, 0.25),
            0.5,
        );
    }
    Ok(())
}

/// Multiplies by the ambient light and fades towards the haze; premultiplied colours allow both.
fn shade(stamp: &mut Pixmap, ambient: Rgb, haze: Rgb, amount: f32) {
    let keep = 1.0 - amount;
    let mul = [ambient.r, ambient.g, ambient.b].map(|a| a * keep);
    let add = [haze.r, haze.g, haze.b].map(|h| h * amount);
    for p in stamp.pixels_mut() {
        let alpha = p.alpha();
        if alpha == 0 {
            continue;
        }
        let part = |v: u8, i: usize| {
            let out = f32::from(v) * mul[i] + f32::from(alpha) * add[i];
            (out.round() as u8).min(alpha)
        };
        let (r, g, b) = (part(p.red(), 0), part(p.green(), 1), part(p.blue(), 2));
        *p = PremultipliedColorU8::from_rgba(r, g, b, alpha).unwrap_or(*p);
    }
}

/// Boats and swimmers come with their own block of blue water: most of it gives way to the
/// painted water.
fn sink(stamp: &mut Pixmap, top: f32, bottom: f32, theme: &str, item: &Item) {
    let afloat = matches!(item.stance, Stance::Float | Stance::Swim);
    let part = match theme {
        "boat" => 0.42,
        "person" if item.icon.contains("surfing") => 0.16,
        "person" if afloat => 0.66,
        _ => return,
    };
    let (width, side) = (stamp.width() as usize, stamp.height() as f32);
    let from = bottom - part * (bottom - top);
    for (i, p) in stamp.pixels_mut().iter_mut().enumerate() {
        let alpha = p.alpha();
        if ((i / width) as f32) < from * side || alpha == 0 {
            continue;
        }
        let unit = |v: u8| f32::from(v) / f32::from(alpha);
        let (h, s, _) = Rgb::new(unit(p.red()), unit(p.green()), unit(p.blue())).hsl();
        if s > 0.6 && (185.0..222.0).contains(&h) {
            let thin = |v: u8| (f32::from(v) * 0.1) as u8;
            let (r, g, b) = (thin(p.red()), thin(p.green()), thin(p.blue()));
            *p = PremultipliedColorU8::from_rgba(r, g, b, thin(alpha)).unwrap_or(*p);
        }
    }
}

/// Rings on the water about a swimmer or a hull.
fn ripples(c: &mut Canvas, item: &Item, waterline: f32, width: f32, light: &Light) {
    let foam = light.near(Rgb::new(0.9, 0.97, 1.0));
    c.glow(
        (item.x, waterline),
        width * 0.62,
        width * 0.1 + 0.008,
        Rgb::new(0.05, 0.15, 0.28),
        0.3,
    );
    for (reach, alpha) in [(0.62, 0.3), (0.44, 0.4)] {
        let half = width * reach / c.aspect();
        let y = waterline + 0.012 * reach;
        c.line(
            &[(item.x - half, y), (item.x, y + 0.008), (item.x + half, y)],
            0.005,
            foam,
            alpha,
        );
    }
}

/// A small round table under a thing that would not lie on a floor.
fn side_table(c: &mut Canvas, item: &Item, width: f32, wood: Rgb) {
    let (x, y) = (item.x, item.y - 0.008);
    let (reach, leg) = (width.max(0.1) * 0.72, 0.15);
    c.glow((x, y + leg), reach * 0.8, 0.02, Rgb::BLACK, 0.3);
    c.rect(x - 0.007, y, 0.014, leg, wood.scaled(0.8), 1.0);
    c.ellipse((x, y + leg), reach * 0.45, 0.012, wood.scaled(0.8), 1.0);
    c.ellipse((x, y + 0.01), reach, 0.03, wood.scaled(0.78), 1.0);
    c.ellipse((x, y), reach, 0.03, wood.scaled(1.15), 1.0);
}

/// A seated body for an animal whose icon is a head.
fn body(c: &mut Canvas, item: &Item, width: f32, coat: Rgb) {
    let (x, y, s) = (item.x, item.y, item.scale);
    let dark = coat.scaled(0.86);
    let (rx, ry) = (width * 0.34, s * 0.4);
    c.ellipse((x, y - ry * 0.98), rx, ry, coat, 1.0);
    for side in [-1.0, 1.0] {
        let dx = side * rx * 0.72 / c.aspect();
        c.ellipse((x + dx, y - s * 0.1), rx * 0.48, s * 0.1, dark, 1.0);
        c.ellipse((x + dx * 0.42, y - s * 0.2), rx * 0.2, s * 0.2, dark, 1.0);
    }
    c.ellipse(
        (x, y - ry * 0.8),
        rx * 0.5,
        ry * 0.6,
        coat.mix(Rgb::WHITE, 0.32),
        0.9,
    );
}
