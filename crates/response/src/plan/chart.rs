//! The risk that stands over the weeks, by policy, as a picture (SVG 1.1).

use super::simulate::Course;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 40.0;
const RIGHT: f64 = 132.0;

/// Colours that differ for the colour-blind, too (Okabe and Ito), and dashes for print.
const LINES: [(&str, &str); 3] = [("#d55e00", "6 3"), ("#0072b2", "2 3"), ("#009e73", "")];

/// Draws the courses.
pub fn svg(courses: &[Course]) -> String {
    let weeks = courses.iter().map(|one| one.left.len()).max().unwrap_or(1);
    let weeks = weeks.saturating_sub(1).max(1) as f64;
    let most = courses
        .iter()
        .flat_map(|one| &one.left)
        .copied()
        .fold(1.0, f64::max);
    let x = |week: f64| LEFT + week / weeks * (WIDTH - LEFT - RIGHT);
    let y = |points: f64| HEIGHT - BOTTOM - points / most * (HEIGHT - TOP - BOTTOM);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>Risk that stands, by week and policy</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let (across, up) = (x(weeks * part), y(most * part));
        put(
            &mut out,
            format_args!(
                "<path d=\"M{LEFT} {up:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>\n\
             <text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0}</text>\n",
                WIDTH - RIGHT,
                LEFT - 6.0,
                up + 4.0,
                part * 100.0,
                HEIGHT - BOTTOM + 16.0,
                weeks * part,
            ),
        );
    }
    put(
        &mut out,
        format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">weeks</text>\n",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 6.0,
        ),
    );
    for (at, (course, (colour, dash))) in courses.iter().zip(LINES).enumerate() {
        let mut path = String::new();
        for (week, points) in course.left.iter().enumerate() {
            let step = if week == 0 { 'M' } else { 'L' };
            put(
                &mut path,
                format_args!("{step}{:.1} {:.1}", x(week as f64), y(*points)),
            );
        }
        let label = TOP + 16.0 + at as f64 * 34.0;
        put(
            &mut out,
            format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>\n\
             <text x=\"{:.1}\" y=\"{label:.1}\" fill=\"{colour}\">{}</text><text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555\">{:.1} weeks</text>\n",
                WIDTH - RIGHT + 8.0,
                course.policy.name(),
                WIDTH - RIGHT + 8.0,
                label + 14.0,
                course.weeks,
            ),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all");
}
