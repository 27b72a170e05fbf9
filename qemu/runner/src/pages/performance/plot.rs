// SPDX-License-Identifier: GPL-2.0-only

//! Plots, as SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// The data of a plot.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    /// The labels of the axes.
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// The ratio of two successive marks along x.
    pub(super) base: f64,
    /// The label of each line, and its points from left to right.
    pub(super) lines: Vec<(String, Vec<(f64, f64)>)>,
}

/// Width and height, in pixels.
const SIZE: (u32, u32) = (760, 440);
const FONT: (&str, i32) = ("sans-serif", 15);
/// Colours that are distinct for colour-blind readers (Okabe and Ito), used in order.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

impl Plot<'_> {
    /// Draws the picture. The y axis begins at 0, so that heights are proportional to values.
    pub(super) fn svg(&self) -> Result<String> {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let most = points().map(|point| point.0).fold(least, f64::max);
        let top = points().map(|point| point.1).fold(0.0, f64::max) * 1.15;
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let draw = || -> Result<(), DrawingAreaErrorKind<_>> {
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .caption(self.title, ("sans-serif", 20))
                .margin(12)
                .margin_right(40)
                .x_label_area_size(40)
                .y_label_area_size(72)
                .build_cartesian_2d((least..most).log_scale().base(self.base), 0.0..top)?;
            chart
                .configure_mesh()
                .x_desc(self.x)
                .y_desc(self.y)
                .light_line_style(WHITE)
                .label_style(FONT)
                .axis_desc_style(FONT)
                .x_label_formatter(&whole)
                .y_label_formatter(&whole)
                .draw()?;
            for ((name, points), colour) in self.lines.iter().zip(COLOURS.into_iter().cycle()) {
                let dot = |at| Circle::new(at, 3, colour.filled());
                chart
                    .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
                chart.draw_series(points.iter().copied().map(dot))?;
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .label_font(FONT)
                .background_style(WHITE)
                .border_style(BLACK)
                .draw()?;
            area.present()
        };
        draw().map_err(|error| anyhow!("{}: {error}", self.title))?;
        drop(area);
        Ok(svg)
    }
}

/// A mark of an axis.
fn whole(value: &f64) -> String {
    value.round().to_string()
}
