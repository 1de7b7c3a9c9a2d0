//! When servers were patched: a curve through published shares of unpatched servers.
//!
//! Only whole numbers are used, as fractions may round differently on another machine and the same seed must give the
//! same fleet everywhere. Shares and ranks are in thousandths of a millionth.

use super::FleetError;
use crate::moment::Moment;
use crate::random::Random;
use jiff::Timestamp;

/// All of a fleet.
pub(crate) const WHOLE: u64 = 1_000_000_000;

const FIGURES: &str = include_str!("../../data/fleet-patching.csv");

/// The share of servers that is still unpatched, over time.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Time and share; times rise, shares fall.
    points: Vec<(Moment, u64)>,
}

impl Curve {
    /// The curve through the rows of the table that are marked for it, straight between them, and level after the last.
    ///
    /// # Errors
    /// When the table is malformed, which the tests rule out.
    pub(crate) fn published() -> Result<Self, FleetError> {
        let mut points = Vec::new();
        for line in FIGURES.lines().skip(1) {
            let malformed =
                || FleetError::Tables(format!("the table of patching has the row {line}"));
            let mut fields = line.splitn(4, ',');
            let mut field = || fields.next().ok_or_else(malformed);
            let time: Timestamp = field()?.parse().map_err(|_error| malformed())?;
            let share = share(field()?).ok_or_else(malformed)?;
            if field()? == "curve" {
                points.push((Moment::from(time), share));
            }
        }
        let falls = points
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1);
        if points.len() < 2 || !falls {
            return Err(FleetError::Tables(
                "the curve of patching does not fall".into(),
            ));
        }
        Ok(Self { points })
    }

    /// When the update came out.
    pub(crate) fn released(&self) -> Moment {
        self.points[0].0
    }

    /// When the server of this rank is patched, where 0 is the first of all and [`WHOLE`] the last; absent for those that
    /// never are.
    pub(crate) fn patched(&self, rank: u64) -> Option<Moment> {
        let unpatched = WHOLE.saturating_sub(rank);
        self.points.windows(2).find_map(|pair| {
            let ((from, more), (until, less)) = (pair[0], pair[1]);
            let within = less <= unpatched && unpatched <= more;
            within.then(|| {
                let part = i128::from(more - unpatched) * i128::from(until.0 - from.0);
                let passed = part / i128::from(more - less);
                from.after(i64::try_from(passed).expect("a part of a span of time"))
            })
        })
    }
}

/// A decimal number from 0 to 1, such as `0.255`.
fn share(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.')?;
    let whole: u64 = whole.parse().ok()?;
    if decimals.len() > 9 || whole > 1 {
        return None;
    }
    let decimals: u64 = format!("{decimals:0<9}").parse().ok()?;
    (whole * WHOLE + decimals <= WHOLE).then_some(whole * WHOLE + decimals)
}

/// How early or late a group patches, in thousandths from -1000 to 1000.
///
/// A group of tilt `s` has ranks of the density `1 + s (2x - 1)` on 0 to 1: of the lesser, or of the greater, of two equal
/// draws, or of one, mixed. The mean of such densities is one of the same kind, whose tilt is the mean of the tilts; so
/// its distribution `x + s (x² - x)` turns what is drawn for any group into a rank in the fleet, and the whole fleet
/// follows the curve however the groups differ.
pub(crate) fn rank(random: &mut Random, tilt: i64, mean_tilt: i64) -> u64 {
    let (first, second) = (random.below(WHOLE), random.below(WHOLE));
    let tilted = random.below(1_000) < tilt.unsigned_abs();
    let drawn = match tilted {
        true if tilt > 0 => first.max(second),
        true => first.min(second),
        false => first,
    };
    let x = i128::from(drawn);
    let whole = i128::from(WHOLE);
    let bend = i128::from(mean_tilt) * (x * x / whole - x) / 1_000;
    u64::try_from((x + bend).clamp(0, whole)).expect("it has just been bounded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_passes_through_its_points_and_ends_in_servers_that_are_never_patched() {
        let curve = Curve::published().unwrap();
        for (time, unpatched) in &curve.points {
            let patched = curve.patched(WHOLE - unpatched).unwrap();
            assert!((patched.0 - time.0).abs() <= 1, "{time}");
        }
        assert_eq!(curve.patched(0), Some(curve.released()));
        assert_eq!(curve.patched(WHOLE - 1), None);
    }

    #[test]
    fn every_figure_has_a_source() {
        for line in FIGURES.lines().skip(1) {
            let source = line.splitn(4, ',').nth(3).unwrap();
            assert!(source.len() > 40 && source.starts_with('"'), "{line}");
        }
    }

    /// Two groups that patch very differently, of equal size, together have even ranks.
    #[test]
    fn groups_differ_and_the_whole_stays_even() {
        let mut random = Random::new(1, "ranks", 0);
        let (early, late) = (-800, 400);
        let mean = i64::midpoint(early, late);
        let mut draw = |tilt| {
            (0..20_000)
                .map(|_| rank(&mut random, tilt, mean))
                .collect::<Vec<_>>()
        };
        let (early, late) = (draw(early), draw(late));
        let below = |ranks: &[u64], share: u64| {
            ranks
                .iter()
                .filter(|rank| **rank < WHOLE * share / 100)
                .count()
        };
        for share in [10, 25, 50, 75, 90] {
            let both = below(&early, share) + below(&late, share);
            let wanted = usize::try_from(share).unwrap() * 400;
            assert!(both.abs_diff(wanted) < 600, "{share}: {both}");
            assert!(below(&early, share) > below(&late, share));
        }
    }
}
