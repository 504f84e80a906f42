//! Shapes and gradients on a pixmap, in fractions of the picture.

use resvg::tiny_skia::{
    self, BlendMode, Color, FillRule, GradientStop, LinearGradient, Paint, Path, PathBuilder,
    Pixmap, Point, RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

use crate::colour::Rgb;

/// A picture in the making. x and widths are fractions of its width, y and heights of its height;
/// radii and line widths are fractions of its height.
pub(super) struct Canvas {
    pub(super) pixmap: Pixmap,
    pub(super) w: f32,
    pub(super) h: f32,
}

/// A point in fractions of the picture.
pub(super) type Spot = (f32, f32);

impl Canvas {
    /// An opaque white picture, or nothing where a side is zero or too large.
    pub(super) fn new(width: u32, height: u32) -> Option<Self> {
        let mut pixmap = Pixmap::new(width, height)?;
        pixmap.fill(Color::WHITE);
        Some(Self {
            pixmap,
            w: width as f32,
            h: height as f32,
        })
    }

    /// Width over height.
    pub(super) fn aspect(&self) -> f32 {
        self.w / self.h
    }

    /// A rectangle whose colour runs from the top to the bottom through evenly spaced stops.
    pub(super) fn gradient(&mut self, x: f32, y: f32, w: f32, h: f32, stops: &[Rgb]) {
        let n = stops.len().max(2) - 1;
        let stops: Vec<GradientStop> = stops
            .iter()
            .enumerate()
            .map(|(i, c)| GradientStop::new(i as f32 / n as f32, opaque(*c)))
            .collect();
        let (top, bottom) = (
            Point::from_xy(0.0, y * self.h),
            Point::from_xy(0.0, (y + h) * self.h),
        );
        let shader =
            LinearGradient::new(top, bottom, stops, SpreadMode::Pad, Transform::identity());
        if let (Some(shader), Some(rect)) = (
            shader,
            Rect::from_xywh(x * self.w, y * self.h, w * self.w, h * self.h),
        ) {
            self.pixmap
                .fill_rect(rect, &paint(shader), Transform::identity(), None);
        }
    }

    pub(super) fn rect(&mut self, x: f32, y: f32, w: f32, h: f32, colour: Rgb, alpha: f32) {
        if let Some(rect) = Rect::from_xywh(x * self.w, y * self.h, w * self.w, h * self.h) {
            let paint = paint(Shader::SolidColor(with_alpha(colour, alpha)));
            self.pixmap
                .fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// The whole picture is multiplied with a colour.
    pub(super) fn multiply(&mut self, colour: Rgb) {
        if let Some(rect) = Rect::from_xywh(0.0, 0.0, self.w, self.h) {
            let mut paint = paint(Shader::SolidColor(opaque(colour)));
            paint.blend_mode = BlendMode::Multiply;
            self.pixmap
                .fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    pub(super) fn polygon(&mut self, points: &[Spot], colour: Rgb, alpha: f32) {
        let mut path = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 {
                path.move_to(x * self.w, y * self.h);
            } else {
                path.line_to(x * self.w, y * self.h);
            }
        }
        path.close();
        self.fill(path.finish(), Shader::SolidColor(with_alpha(colour, alpha)));
    }

    /// Everything below the line `top`, from `from` at the line's highest point to `to` at `base`.
    pub(super) fn below(&mut self, top: &dyn Fn(f32) -> f32, base: f32, from: Rgb, to: Rgb) {
        const STEPS: usize = 72;
        let line: Vec<Spot> = (0..=STEPS)
            .map(|i| i as f32 / STEPS as f32)
            .map(|x| (x, top(x)))
            .collect();
        let highest = line.iter().map(|p| p.1).fold(f32::INFINITY, f32::min);
        let mut path = PathBuilder::new();
        path.move_to(0.0, base * self.h);
        for (x, y) in line {
            path.line_to(x * self.w, y * self.h);
        }
        path.line_to(self.w, base * self.h);
        path.close();
        let shader = LinearGradient::new(
            Point::from_xy(0.0, highest * self.h),
            Point::from_xy(0.0, (base * self.h).max(highest * self.h + 1.0)),
            vec![
                GradientStop::new(0.0, opaque(from)),
                GradientStop::new(1.0, opaque(to)),
            ],
            SpreadMode::Pad,
            Transform::identity(),
        );
        self.fill(
            path.finish(),
            shader.unwrap_or(Shader::SolidColor(opaque(from))),
        );
    }

    /// An ellipse: `rx` and `ry` are fractions of the height.
    pub(super) fn ellipse(&mut self, at: Spot, rx: f32, ry: f32, colour: Rgb, alpha: f32) {
        let path = self.oval(at, rx, ry);
        self.fill(path, Shader::SolidColor(with_alpha(colour, alpha)));
    }

    pub(super) fn circle(&mut self, at: Spot, r: f32, colour: Rgb, alpha: f32) {
        self.ellipse(at, r, r, colour, alpha);
    }

    /// A soft spot that fades from its middle to nothing at its rim.
    pub(super) fn glow(&mut self, at: Spot, rx: f32, ry: f32, colour: Rgb, alpha: f32) {
        let stops = [1.0, 0.55, 0.18, 0.0]
            .iter()
            .zip([0.0, 0.35, 0.7, 1.0])
            .map(|(a, at)| GradientStop::new(at, with_alpha(colour, alpha * a)))
            .collect();
        let middle = Point::from_xy(0.0, 0.0);
        let place = Transform::from_row(
            rx * self.h,
            0.0,
            0.0,
            ry * self.h,
            at.0 * self.w,
            at.1 * self.h,
        );
        let shader = RadialGradient::new(middle, 0.0, middle, 1.0, stops, SpreadMode::Pad, place);
        let path = self.oval(at, rx, ry);
        if let Some(shader) = shader {
            self.fill(path, shader);
        }
    }

    /// A line of `width` (fraction of the height) with round ends.
    pub(super) fn line(&mut self, points: &[Spot], width: f32, colour: Rgb, alpha: f32) {
        let mut path = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 {
                path.move_to(x * self.w, y * self.h);
            } else {
                path.line_to(x * self.w, y * self.h);
            }
        }
        let stroke = Stroke {
            width: (width * self.h).max(0.5),
            line_cap: tiny_skia::LineCap::Round,
            line_join: tiny_skia::LineJoin::Round,
            ..Stroke::default()
        };
        if let Some(path) = path.finish() {
            let paint = paint(Shader::SolidColor(with_alpha(colour, alpha)));
            self.pixmap
                .stroke_path(&path, &paint, &stroke, Transform::identity(), None);
        }
    }

    fn oval(&self, at: Spot, rx: f32, ry: f32) -> Option<Path> {
        let (rx, ry) = (rx * self.h, ry * self.h);
        let (x, y) = (at.0 * self.w, at.1 * self.h);
        PathBuilder::from_oval(Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry)?)
    }

    fn fill(&mut self, path: Option<Path>, shader: Shader) {
        if let Some(path) = path {
            let paint = paint(shader);
            self.pixmap.fill_path(
                &path,
                &paint,
                FillRule::Winding,
                Transform::identity(),
                None,
            );
        }
    }
}

fn paint(shader: Shader<'_>) -> Paint<'_> {
    Paint {
        shader,
        anti_alias: true,
        ..Paint::default()
    }
}

fn opaque(c: Rgb) -> Color {
    with_alpha(c, 1.0)
}

fn with_alpha(c: Rgb, alpha: f32) -> Color {
    let [r, g, b] = c.bytes();
    Color::from_rgba8(r, g, b, (alpha.clamp(0.0, 1.0) * 255.0).round() as u8)
}
