//! Colours in sRGB, with the few blends that the painter needs.

use serde::{Deserialize, Deserializer};

/// A colour: red, green and blue from 0 to 1, sRGB-encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rgb {
    /// Red.
    pub r: f32,
    /// Green.
    pub g: f32,
    /// Blue.
    pub b: f32,
}

impl Rgb {
    pub(crate) const WHITE: Self = Self::new(1.0, 1.0, 1.0);
    pub(crate) const BLACK: Self = Self::new(0.0, 0.0, 0.0);

    pub(crate) const fn new(r: f32, g: f32, b: f32) -> Self {
        Self { r, g, b }
    }

    /// From `rrggbb` or `rgb`, with or without `#`.
    pub(crate) fn hex(text: &str) -> Option<Self> {
        let digits = text.trim_start_matches('#');
        let long: String = match digits.len() {
            3 => digits.chars().flat_map(|c| [c, c]).collect(),
            6 => digits.to_owned(),
            _ => return None,
        };
        let n = u32::from_str_radix(&long, 16).ok()?;
        let part = |shift: u32| ((n >> shift) & 255) as f32 / 255.0;
        Some(Self::new(part(16), part(8), part(0)))
    }

    pub(crate) fn to_hex(self) -> String {
        let [r, g, b] = self.bytes();
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// Eight bits a channel.
    pub(crate) fn bytes(self) -> [u8; 3] {
        [self.r, self.g, self.b].map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
    }

    /// From here (`t` = 0) to `other` (`t` = 1).
    pub(crate) fn mix(self, other: Self, t: f32) -> Self {
        let m = |a: f32, b: f32| a + (b - a) * t;
        Self::new(m(self.r, other.r), m(self.g, other.g), m(self.b, other.b))
    }

    /// Channel by channel.
    pub(crate) fn times(self, other: Self) -> Self {
        Self::new(self.r * other.r, self.g * other.g, self.b * other.b)
    }

    /// Darker below 1, lighter above.
    pub(crate) fn scaled(self, f: f32) -> Self {
        Self::new(
            (self.r * f).min(1.0),
            (self.g * f).min(1.0),
            (self.b * f).min(1.0),
        )
    }

    /// Hue in degrees, saturation and lightness from 0 to 1.
    pub(crate) fn hsl(self) -> (f32, f32, f32) {
        let max = self.r.max(self.g).max(self.b);
        let min = self.r.min(self.g).min(self.b);
        let l = f32::midpoint(max, min);
        let d = max - min;
        if d < 1e-6 {
            return (0.0, 0.0, l);
        }
        let s = d / (1.0 - (2.0 * l - 1.0).abs()).max(1e-6);
        let h = if max == self.r {
            (self.g - self.b) / d
        } else if max == self.g {
            (self.b - self.r) / d + 2.0
        } else {
            (self.r - self.g) / d + 4.0
        };
        ((h * 60.0).rem_euclid(360.0), s, l)
    }

    /// The inverse of [`Rgb::hsl`].
    pub(crate) fn from_hsl(h: f32, s: f32, l: f32) -> Self {
        let c = (1.0 - (2.0 * l - 1.0).abs()) * s;
        let x = c * (1.0 - ((h / 60.0).rem_euclid(2.0) - 1.0).abs());
        let m = l - c / 2.0;
        let (r, g, b) = match (h.rem_euclid(360.0) / 60.0) as u32 {
            0 => (c, x, 0.0),
            1 => (x, c, 0.0),
            2 => (0.0, c, x),
            3 => (0.0, x, c),
            4 => (x, 0.0, c),
            _ => (c, 0.0, x),
        };
        Self::new(r + m, g + m, b + m)
    }

    /// Degrees between two hues, 0 to 180.
    pub(crate) fn hue_distance(a: f32, b: f32) -> f32 {
        let d = (a - b).rem_euclid(360.0);
        d.min(360.0 - d)
    }
}

impl<'de> Deserialize<'de> for Rgb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::hex(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is not a colour like #a0b1c2"))
        })
    }
}

/// The colour that a colour word of the table stands for.
pub(crate) fn named(name: &str) -> Option<Rgb> {
    let hex = match name {
        "red" => "d8383a",
        "orange" => "ee8434",
        "yellow" => "f3c53c",
        "green" => "58a55c",
        "teal" => "2fa6a0",
        "blue" => "3d7fd0",
        "purple" => "8259b8",
        "pink" => "ec86ac",
        "brown" => "94643f",
        "black" => "34323a",
        "white" => "f4f3ee",
        "grey" => "9a9ea5",
        _ => return None,
    };
    Rgb::hex(hex)
}
