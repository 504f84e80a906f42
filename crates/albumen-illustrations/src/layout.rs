//! Positions: large enough to see, standing on something, not hiding one another.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::icons::{Look, Recolour};
use crate::scene::{Background, Item, Shot};
use crate::tables::{Far, Ground, Kind, Place, Stance};

/// Positions tried for one item.
const TRIES: usize = 80;

/// Least height of a subject over the picture's: a ball beside a family stays a ball to see.
const LEAST: f32 = 0.1;

/// Where items may stand, in fractions of the picture's height.
pub(crate) struct Stage<'a> {
    pub(crate) place: &'a Place,
    pub(crate) background: &'a Background,
    /// Width over height of the picture.
    pub(crate) aspect: f32,
}

/// An item that waits for its position.
pub(crate) struct Wanted {
    pub(crate) icon: String,
    pub(crate) look: Look,
    pub(crate) stance: Stance,
    pub(crate) scale: f32,
    pub(crate) recolour: Option<Recolour>,
    pub(crate) main: bool,
    pub(crate) prop: bool,
    /// Runs on rails.
    pub(crate) rides: bool,
}

/// A rectangle in fractions of the picture.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    x0: f32,
    y0: f32,
    x1: f32,
    y1: f32,
}

impl Area {
    fn size(self) -> f32 {
        (self.x1 - self.x0).max(0.0) * (self.y1 - self.y0).max(0.0)
    }

    /// The common part, over the smaller of the two.
    fn overlap(self, other: Self) -> f32 {
        let common = Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        };
        common.size() / self.size().min(other.size()).max(1e-6)
    }
}

/// Subjects in their positions.
pub(crate) struct Settled {
    pub(crate) items: Vec<Item>,
    pub(crate) areas: Vec<(Area, Stance)>,
    pub(crate) worst: f32,
}

impl Stage<'_> {
    /// Places all subjects, the first first.
    pub(crate) fn all(&self, wanted: &[Wanted], factor: f32, rng: &mut ChaCha8Rng) -> Settled {
        let mut out = Settled {
            items: Vec::new(),
            areas: Vec::new(),
            worst: 0.0,
        };
        for w in wanted {
            let (cost, item, area) = self.settle(w, factor, &out.areas, rng);
            out.worst = out.worst.max(cost);
            out.areas.push((area, w.stance));
            out.items.push(item);
        }
        out
    }

    /// The best of some random positions, and its cost.
    pub(crate) fn settle(
        &self,
        w: &Wanted,
        factor: f32,
        taken: &[(Area, Stance)],
        rng: &mut ChaCha8Rng,
    ) -> (f32, Item, Area) {
        let mut best = self.weighed(w, factor, taken, rng);
        for _ in 1..TRIES {
            let next = self.weighed(w, factor, taken, rng);
            if next.0 < best.0 {
                best = next;
            }
        }
        best
    }

    /// A random position and its cost.
    fn weighed(
        &self,
        w: &Wanted,
        factor: f32,
        taken: &[(Area, Stance)],
        rng: &mut ChaCha8Rng,
    ) -> (f32, Item, Area) {
        let (item, area) = self.candidate(w, factor, rng);
        let mut cost = 0.0;
        for (other, stance) in taken {
            // What stands before a building hides little of it.
            let before = *stance == Stance::Building && w.stance != Stance::Building && !w.prop;
            cost += area.overlap(*other)
                * if before {
                    0.35
                } else if w.prop {
                    3.0
                } else {
                    1.6
                };
        }
        let outside = (-area.x0).max(0.0) + (area.x1 - 1.0).max(0.0) + (-area.y0).max(0.0);
        cost += 9.0 * outside / (area.x1 - area.x0).max(1e-3);
        if w.main {
            cost += 0.25 * (item.x - 0.5).abs();
        }
        (cost, item, area)
    }

    /// One random position.
    fn candidate(&self, w: &Wanted, factor: f32, rng: &mut ChaCha8Rng) -> (Item, Area) {
        let mut scale = w.scale * factor;
        let y = self.foot(w, scale, rng);
        if w.stance == Stance::Ground || w.prop {
            let room = 1.0 - self.background.horizon;
            let depth = ((y - self.background.horizon) / room.max(0.05)).clamp(0.0, 1.0);
            scale *= 0.72 + 0.36 * depth;
        }
        if !w.prop {
            scale = scale.max(LEAST);
        }
        let x = match (w.main, w.stance) {
            (true, _) => rng.random_range(0.2..0.8),
            // On the wall, but not over the window.
            (_, Stance::Sky) if w.prop && self.background.window_left() => {
                rng.random_range(0.5..0.92)
            }
            (_, Stance::Sky) if w.prop => rng.random_range(0.08..0.5),
            _ => rng.random_range(0.04..0.96),
        };
        let lettered = w.stance == Stance::Building || w.icon == "musical-notes";
        let flip = rng.random_bool(0.5) && !lettered;
        let width = scale * w.look.aspect() / self.aspect;
        // A seated animal's body is drawn below its head.
        let height = if w.stance == Stance::Head {
            scale * 1.5
        } else {
            scale
        };
        let area = Area {
            x0: x - width / 2.0,
            y0: y - height,
            x1: x + width / 2.0,
            y1: y,
        };
        let item = Item {
            icon: w.icon.clone(),
            x,
            y,
            scale,
            flip,
            stance: w.stance,
            recolour: w.recolour,
            prop: w.prop,
        };
        (item, area)
    }

    /// Where the lower edge of an item may be.
    fn foot(&self, w: &Wanted, scale: f32, rng: &mut ChaCha8Rng) -> f32 {
        let horizon = self.background.horizon;
        let room = 1.0 - horizon;
        let behind_traffic = matches!(self.place.ground, Ground::Road | Ground::Rails);
        match w.stance {
            Stance::Sky if w.prop => rng.random_range(0.3..0.46),
            Stance::Sky => {
                let lowest = (horizon.min(0.92) - 0.06).max(scale + 0.1);
                rng.random_range((scale + 0.06).min(lowest - 0.01)..lowest)
            }
            Stance::Swim => rng.random_range(0.18..0.6) + scale * 0.5,
            Stance::Float if self.place.far == Far::Sea => horizon - rng.random_range(0.01..0.07),
            Stance::Float => horizon + room * rng.random_range(0.3..0.72),
            Stance::Building if self.place.ground == Ground::Water => horizon + 0.015,
            Stance::Building => horizon + room * rng.random_range(0.1..0.22),
            Stance::Bust => 1.02,
            Stance::Table if self.place.kind == Kind::Room => {
                horizon + room * rng.random_range(0.15..0.5)
            }
            Stance::Table => horizon + room * rng.random_range(0.38..0.86),
            _ if self.place.ground == Ground::Rails && w.rides => horizon + room * 0.89,
            _ if self.background.bank => rng.random_range(0.9..0.97),
            _ if w.prop && behind_traffic => horizon + room * rng.random_range(0.05..0.26),
            _ if w.prop => horizon + room * rng.random_range(0.04..0.5),
            _ if self.background.shot == Shot::Close => {
                horizon + room * rng.random_range(0.7..0.95)
            }
            _ => horizon + room * rng.random_range(0.45..0.9),
        }
    }
}
