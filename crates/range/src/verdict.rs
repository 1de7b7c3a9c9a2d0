//! The right verdict on a simulated server, derived from what happened and from what is left of it.

/// What a right verdict depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the table of verdicts is over independent facts"
)]
pub struct Circumstances {
    /// Whether the server runs the campaign's product.
    pub has_product: bool,
    /// Whether the evidence shows that it does not, where it does not.
    pub absence_shown: bool,
    /// Whether evidence is left that proves by itself that somebody got in.
    pub effect_left: bool,
    /// Whether evidence is left that points to it but proves nothing by itself.
    pub hint_left: bool,
    /// Whether the weakness was closed by an update when the last collection was taken. A mitigation does not count.
    pub patched: bool,
    /// Whether the evidence holds, whole, everything that must be seen before anybody says `clear`.
    pub covered: bool,
    /// Whether a script stands in a web folder that the product does not ship, or not so, and that is harmless: only its
    /// owner can tell.
    pub unexplained: bool,
    /// Whether everything by which the intruder could come back is gone, its places are in the last collection, and
    /// named persons attest all that evidence cannot show.
    pub evicted: bool,
    /// Whether an eviction was accepted, and a later collection shows an effect that came after it.
    pub reinfected: bool,
    /// Whether something is left of an intrusion of another campaign that goes for the same product.
    pub another_came: bool,
}

/// What a right report says under these circumstances: the verdict, and others that are right as well.
///
/// | product | effect left | then | verdict |
/// |---|---|---|---|
/// | no | | the evidence shows it | `not_affected` |
/// | no | | it does not | `unproven` |
/// | yes | yes | effect after an accepted eviction | `reinfected` |
/// | yes | yes | all evicted, patched and covered | `evicted` |
/// | yes | yes | else | `compromised` |
/// | yes | no | unpatched, or only mitigated | `exposed` |
/// | yes | no | patched and covered, nothing unexplained | `clear` |
/// | yes | no | patched, but not covered or something unexplained | `unproven` |
///
/// Where nobody can see that somebody got in, the server looks like one that nobody entered. Where no more than a hint
/// is left, whoever convicts on it is right too; and where a hint is left nobody may say `clear`.
///
/// Where an intruder of another campaign was, what is left of them (a shell, a task) does not tell by which weakness they
/// came: whoever convicts is right too, and so is whoever leaves it open.
pub fn verdict(circumstances: Circumstances) -> (&'static str, &'static [&'static str]) {
    let Circumstances {
        has_product,
        absence_shown,
        effect_left,
        hint_left,
        patched,
        covered,
        unexplained,
        evicted,
        reinfected,
        another_came,
    } = circumstances;
    if !has_product {
        let said = if absence_shown {
            "not_affected"
        } else {
            "unproven"
        };
        return (said, &[]);
    }
    if effect_left {
        return match (reinfected, evicted && patched && covered) {
            (true, _) => ("reinfected", &[]),
            (false, true) => ("evicted", &[]),
            (false, false) => ("compromised", &[]),
        };
    }
    let or_convicted: &[&str] = if hint_left || another_came {
        &["compromised"]
    } else {
        &[]
    };
    match (patched, covered && !unexplained) {
        (false, _) => ("exposed", or_convicted),
        (true, true) if !hint_left && another_came => ("clear", &["compromised", "unproven"]),
        (true, true) if !hint_left => ("clear", &[]),
        (true, _) => ("unproven", or_convicted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_verdicts() {
        let clean = Circumstances {
            has_product: true,
            absence_shown: false,
            effect_left: false,
            hint_left: false,
            patched: true,
            covered: true,
            unexplained: false,
            evicted: false,
            reinfected: false,
            another_came: false,
        };
        let entered = Circumstances {
            effect_left: true,
            ..clean
        };
        let table = [
            (clean, "clear"),
            (
                Circumstances {
                    has_product: false,
                    absence_shown: true,
                    patched: false,
                    covered: false,
                    ..clean
                },
                "not_affected",
            ),
            (
                Circumstances {
                    has_product: false,
                    ..clean
                },
                "unproven",
            ),
            (
                Circumstances {
                    another_came: true,
                    ..clean
                },
                "clear",
            ),
            (
                Circumstances {
                    another_came: true,
                    patched: false,
                    ..clean
                },
                "exposed",
            ),
            (
                Circumstances {
                    covered: false,
                    ..clean
                },
                "unproven",
            ),
            (
                Circumstances {
                    unexplained: true,
                    ..clean
                },
                "unproven",
            ),
            (
                Circumstances {
                    patched: false,
                    ..clean
                },
                "exposed",
            ),
            (
                Circumstances {
                    patched: false,
                    covered: false,
                    ..clean
                },
                "exposed",
            ),
            (
                Circumstances {
                    hint_left: true,
                    ..clean
                },
                "unproven",
            ),
            (entered, "compromised"),
            (
                Circumstances {
                    covered: false,
                    patched: false,
                    ..entered
                },
                "compromised",
            ),
            (
                Circumstances {
                    evicted: true,
                    ..entered
                },
                "evicted",
            ),
            (
                Circumstances {
                    evicted: true,
                    covered: false,
                    ..entered
                },
                "compromised",
            ),
            (
                Circumstances {
                    evicted: true,
                    patched: false,
                    ..entered
                },
                "compromised",
            ),
            (
                Circumstances {
                    reinfected: true,
                    ..entered
                },
                "reinfected",
            ),
        ];
        for (circumstances, expected) in table {
            let (said, accepted) = verdict(circumstances);
            assert_eq!(said, expected, "{circumstances:?}");
            assert_eq!(
                accepted.contains(&"compromised"),
                circumstances.hint_left || circumstances.another_came,
                "{circumstances:?}"
            );
        }
    }

    #[test]
    fn what_is_assured_is_covered_and_patched_and_no_other_answer_assures() {
        let both = [false, true];
        for bits in 0..1_u16 << 10 {
            let bit = |number: u8| both[usize::from(bits >> number & 1)];
            let circumstances = Circumstances {
                has_product: bit(0),
                absence_shown: bit(8),
                another_came: bit(9),
                effect_left: bit(1),
                hint_left: bit(2),
                patched: bit(3),
                covered: bit(4),
                evicted: bit(5),
                reinfected: bit(6),
                unexplained: bit(7),
            };
            let (said, accepted) = verdict(circumstances);
            if matches!(said, "clear" | "evicted") {
                assert!(
                    circumstances.covered && circumstances.patched,
                    "{circumstances:?}"
                );
            }
            assert!(
                accepted
                    .iter()
                    .all(|also| matches!(*also, "compromised" | "unproven")),
                "{circumstances:?}"
            );
        }
    }
}
