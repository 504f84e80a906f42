//! How many albums of each topic to keep: at most a share of any topic, and in the proportions of a
//! released histogram where there is one.

/// What is at hand and what is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Albums of each topic that passed.
    pub(super) have: &'a [usize],
    /// Most albums in all; 0: as many as the rest allows.
    pub(super) target: usize,
    /// Largest share of a topic.
    pub(super) most_share: f64,
    /// Shares of the topics to follow, adding up to 1.
    pub(super) shares: Option<&'a [f64]>,
    /// Without a target: the largest total variation distance from `shares`.
    pub(super) distance: f64,
}

/// The most albums of each topic, and of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quotas {
    pub(super) of_topic: Vec<usize>,
    pub(super) total: usize,
}

impl Wanted<'_> {
    /// Solves for the quotas.
    pub(super) fn quotas(&self) -> Quotas {
        let all: usize = self.have.iter().sum();
        let limit = if self.target == 0 {
            all
        } else {
            self.target.min(all)
        };
        // The largest total at which the topics' caps leave enough.
        let total = (1..=limit)
            .rev()
            .find(|&total| self.caps(total).iter().sum::<usize>() >= total)
            .unwrap_or(0);
        match self.shares {
            None => Quotas {
                of_topic: self.caps(total),
                total,
            },
            Some(shares) => self.steered(shares, total),
        }
    }

    /// The most albums of each topic among `total`: what is there, and the largest share of it. One
    /// album is never too many.
    fn caps(&self, total: usize) -> Vec<usize> {
        let most = (self.most_share * total as f64 + 1e-9).floor().max(1.0) as usize;
        let most = if self.most_share < 1.0 { most } else { total };
        self.have.iter().map(|&have| have.min(most)).collect()
    }

    /// `min(cap, scale x share)` of each topic: exactly the shares, but for topics that run short.
    /// Topics of share 0 get none.
    fn steered(&self, shares: &[f64], total: usize) -> Quotas {
        let caps = self.caps(total);
        let open: usize = (caps.iter().zip(shares))
            .filter(|(_, share)| **share > 0.0)
            .map(|(cap, _)| cap)
            .sum();
        let most = total.min(open) as f64;
        let total = if self.target > 0 {
            most
        } else {
            // The distance grows with the scale, as one topic after another runs short. Topics without
            // any album are short at every scale, and count in none.
            let there = |(cap, share): (&usize, &f64)| if *cap > 0 { *share } else { 0.0 };
            let there: Vec<f64> = caps.iter().zip(shares).map(there).collect();
            let mass: f64 = there.iter().sum();
            let there: Vec<f64> = there.into_iter().map(|share| share / mass).collect();
            let near = |total: f64| {
                let part = fill(&caps, shares, total);
                distance(&part, &there) <= self.distance + 1e-9
            };
            if near(most) {
                most
            } else {
                let (mut low, mut high) = (0.0, most);
                for _ in 0..60 {
                    let middle = f64::midpoint(low, high);
                    if near(middle) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                low
            }
        };
        let of_topic = whole(&fill(&caps, shares, total), &caps);
        Quotas {
            total: of_topic.iter().sum(),
            of_topic,
        }
    }
}

/// `min(cap, scale x share)` with the scale at which they add up to `total`.
fn fill(caps: &[usize], shares: &[f64], total: f64) -> Vec<f64> {
    let at = |scale: f64| -> Vec<f64> {
        let part = |(&cap, &share): (&usize, &f64)| (cap as f64).min(scale * share);
        caps.iter().zip(shares).map(part).collect()
    };
    // Beyond the last topic's end nothing grows.
    let ends = caps.iter().zip(shares).filter(|(_, share)| **share > 0.0);
    let (mut low, mut high) = (
        0.0,
        ends.map(|(&cap, share)| cap as f64 / share)
            .fold(0.0, f64::max),
    );
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if at(middle).iter().sum::<f64>() < total {
            low = middle;
        } else {
            high = middle;
        }
    }
    at(high)
}

/// Whole numbers below the caps that add up to the rounded sum: the largest remainders go up.
fn whole(parts: &[f64], caps: &[usize]) -> Vec<usize> {
    let mut counts: Vec<usize> = parts.iter().map(|p| (p + 1e-9).floor() as usize).collect();
    let total = (parts.iter().sum::<f64>() + 1e-6).floor() as usize;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    let remainder = |i: usize| parts[i] - (parts[i] + 1e-9).floor();
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)).then(a.cmp(&b)));
    let mut left = total.saturating_sub(counts.iter().sum());
    for i in order {
        if left > 0 && counts[i] < caps[i] && parts[i] > 0.0 {
            counts[i] += 1;
            left -= 1;
        }
    }
    counts
}

/// Total variation distance of a histogram from shares.
fn distance(parts: &[f64], shares: &[f64]) -> f64 {
    let total: f64 = parts.iter().sum();
    let gap = |(part, share): (&f64, &f64)| (part / total - share).abs();
    parts.iter().zip(shares).map(gap).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted<'_> = Wanted {
        have: &[60, 30, 10],
        target: 0,
        most_share: 1.0,
        shares: None,
        distance: 0.1,
    };

    #[test]
    fn without_wishes_everything_stays() {
        let quotas = ALL.quotas();
        assert_eq!((quotas.of_topic, quotas.total), (vec![60, 30, 10], 100));
        let few = Wanted { target: 20, ..ALL };
        assert_eq!(few.quotas().total, 20);
    }

    #[test]
    fn no_topic_takes_more_than_its_share_and_no_album_more_is_dropped() {
        let half = Wanted {
            most_share: 0.5,
            ..ALL
        };
        // 40 + 30 + 10, of which 40 are half.
        let quotas = half.quotas();
        assert_eq!((quotas.of_topic, quotas.total), (vec![40, 30, 10], 80));
        // One topic alone cannot be at most half of itself: one album is left.
        let lone = Wanted {
            have: &[9, 0, 0],
            ..half
        };
        assert_eq!(lone.quotas().total, 1);
        for share in [0.34, 0.4, 0.61, 0.99] {
            let quotas = Wanted {
                most_share: share,
                ..ALL
            }
            .quotas();
            let most = share * quotas.total as f64 + 1e-6;
            let kept: usize = quotas.of_topic.iter().sum();
            assert!(kept >= quotas.total);
            assert!(quotas.of_topic.iter().all(|&n| n as f64 <= most), "{share}");
        }
    }

    #[test]
    fn a_target_is_split_by_the_released_shares() {
        let shares = [0.2, 0.3, 0.5];
        let steered = Wanted {
            target: 20,
            shares: Some(&shares),
            ..ALL
        };
        assert_eq!(steered.quotas().of_topic, [4, 6, 10]);
        // Only ten of the last are there: the rest is dealt to the others as 2 to 3.
        let more = Wanted {
            target: 35,
            ..steered
        };
        assert_eq!(more.quotas().of_topic, [10, 15, 10]);
        // What the histogram rules out stays out.
        let none = Wanted {
            target: 35,
            shares: Some(&[0.0, 1.0, 0.0]),
            ..ALL
        };
        assert_eq!(none.quotas().of_topic, [0, 30, 0]);
    }

    #[test]
    fn without_a_target_as_many_stay_as_the_distance_allows() {
        let shares = [0.2, 0.3, 0.5];
        let of = |distance| {
            Wanted {
                shares: Some(&shares),
                distance,
                ..ALL
            }
            .quotas()
        };
        assert_eq!(of(1e-12).of_topic, [4, 6, 10]);
        let counts = of(0.1).of_topic;
        let parts: Vec<f64> = counts.iter().map(|&n| n as f64).collect();
        let kept: usize = counts.iter().sum();
        assert!(
            kept > 20 && (distance(&parts, &shares) - 0.1).abs() < 0.02,
            "{counts:?}"
        );
        assert_eq!(of(1.0).total, 100);
        // A topic without albums leaves the others' proportions alone.
        let missing = Wanted {
            have: &[60, 30, 0],
            shares: Some(&shares),
            distance: 1e-12,
            ..ALL
        };
        assert_eq!(missing.quotas().of_topic, [20, 30, 0]);
    }

    #[test]
    fn whole_numbers_add_up() {
        for total in 1..=100 {
            let shares = [0.47, 0.33, 0.2];
            let quotas = Wanted {
                target: total,
                shares: Some(&shares),
                have: &[100, 100, 100],
                ..ALL
            }
            .quotas();
            assert_eq!(quotas.total, total);
            for (n, share) in quotas.of_topic.iter().zip(shares) {
                assert!((*n as f64 - share * total as f64).abs() < 1.0);
            }
        }
    }
}
