//! What a picture will show: the plan that the painter carries out.

use crate::colour::Rgb;
use crate::icons::Recolour;
use crate::tables::Stance;

/// The light in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeOfDay {
    /// The sun rises: pale warm sky.
    Dawn,
    /// Full daylight.
    Day,
    /// The sun sets: strong warm sky.
    Dusk,
    /// Moon and stars.
    Night,
}

impl TimeOfDay {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "dawn" => Self::Dawn,
            "dusk" => Self::Dusk,
            "night" => Self::Night,
            _ => Self::Day,
        }
    }
}

/// The weather in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// A few clouds or none.
    Clear,
    /// Many clouds, grey light.
    Cloudy,
    /// Rain falls.
    Rain,
    /// Snow falls.
    Snow,
    /// The far fades.
    Fog,
    /// Clouds are drawn out.
    Wind,
}

impl Weather {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "cloudy" => Self::Cloudy,
            "rain" => Self::Rain,
            "snow" => Self::Snow,
            "fog" => Self::Fog,
            "wind" => Self::Wind,
            _ => Self::Clear,
        }
    }
}

/// The time of year in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    /// Fresh green and blossom.
    Spring,
    /// Green.
    Summer,
    /// Yellow and brown leaves.
    Autumn,
    /// Snow lies.
    Winter,
}

impl Season {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "spring" => Some(Self::Spring),
            "summer" => Some(Self::Summer),
            "autumn" => Some(Self::Autumn),
            "winter" => Some(Self::Winter),
            _ => None,
        }
    }
}

/// How near the camera is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shot {
    /// The subject fills the picture.
    Close,
    /// The subject stands in its surroundings.
    Medium,
    /// The surroundings fill the picture.
    Wide,
}

/// All of a picture but its items.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// The place's name in `data/places.toml`.
    pub place: String,
    /// The light.
    pub time: TimeOfDay,
    /// The weather.
    pub weather: Weather,
    /// The time of year.
    pub season: Season,
    /// The camera's distance.
    pub shot: Shot,
    /// Height of the horizon, the floor's or the table's edge: 0 is the top, 1 the bottom.
    pub horizon: f32,
    /// The colours that the caption gives the picture as a whole.
    pub colours: Vec<Rgb>,
    /// The picture has water, and these parts of it are land: a near bank.
    pub bank: bool,
    /// Stream for what is drawn by chance: clouds, stars, the outline of hills.
    pub seed: u64,
}

impl Background {
    /// A room's window is in the left half of the wall.
    pub(crate) fn window_left(&self) -> bool {
        self.seed.is_multiple_of(2)
    }
}

/// One icon in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The icon's name in the icon file.
    pub icon: String,
    /// Where the middle of its lower edge stands: 0 is the left edge, 1 the right.
    pub x: f32,
    /// Where its lower edge stands: 0 is the top, 1 the bottom.
    pub y: f32,
    /// Height of its drawn part over the picture's height.
    pub scale: f32,
    /// Mirrored left to right.
    pub flip: bool,
    /// How it stands here; a thing at home on a table may stand on the ground of a field.
    pub stance: Stance,
    /// Clothes, coats and cars change colour.
    pub recolour: Option<Recolour>,
    /// It dresses the scene; the caption does not name it.
    pub prop: bool,
}

/// A picture's plan. Items are painted in order: the far ones first.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// What lies behind.
    pub background: Background,
    /// What stands before it.
    pub items: Vec<Item>,
}
