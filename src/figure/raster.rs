//! From a drawing to dots.

use resvg::{tiny_skia, usvg};

use super::{FigureError, font};

/// Dots an inch of a picture; a drawing's unit is the point, 1/72 of an inch.
pub const DOTS_PER_INCH: f32 = 300.0;

/// Draws an SVG as a PNG, with the built-in font only.
///
/// # Errors
/// The text is not an SVG with a size.
pub fn png(svg: &str) -> Result<Vec<u8>, FigureError> {
    let options = usvg::Options { fontdb: font::database(), dpi: 72.0, ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| FigureError::Picture(error.to_string()))?;
    let scale = DOTS_PER_INCH / 72.0;
    let size = tree.size().to_int_size().scale_by(scale).ok_or_else(too_large)?;
    let mut dots = tiny_skia::Pixmap::new(size.width(), size.height()).ok_or_else(too_large)?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut dots.as_mut());
    dots.encode_png().map_err(|error| FigureError::Picture(error.to_string()))
}

fn too_large() -> FigureError {
    FigureError::Picture("the drawing is too large, or has no size".to_owned())
}
