//! What was measured: samples by metric and server, and the targets that Railhead is held to.

use std::collections::BTreeMap;

use crate::meter::Cost;
use crate::servers::Kind;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Layers of 32 MiB pushed as docker does.
    Push,
    /// The same layers pulled.
    Pull,
    /// A manifest by tag.
    ManifestGet,
    /// The head of it.
    ManifestHead,
    /// The head of a blob.
    BlobHead,
    /// A blob of 1 KiB.
    BlobGet,
    /// A small image pushed.
    Image,
    /// The first hundred tags.
    Tags,
    /// Time from the start of the process to the first answer about a manifest.
    Start,
    /// Memory after the start and one request.
    MemoryRest,
    /// Peak of memory during 64 parallel pushes.
    MemoryPushes,
}

/// A bound that Railhead's median is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A number in the metric's unit.
    AtMost(f64),
    /// So many times what nginx needs in the same run.
    TimesNginx(f64),
    /// So many times what SHA-256 of the same bytes needs in the same run.
    TimesHash(f64),
    /// So many times what Railhead with accounts of its own needs in the same run.
    TimesLocal(f64),
}

/// What a pull may cost with the accounts of a forge.
pub const WITH_FORGE: Target = Target::TimesLocal(1.1);

impl Metric {
    /// Every metric, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Push,
        Self::Pull,
        Self::ManifestGet,
        Self::ManifestHead,
        Self::BlobHead,
        Self::BlobGet,
        Self::Image,
        Self::Tags,
        Self::Start,
        Self::MemoryRest,
        Self::MemoryPushes,
    ];

    /// Its name in JSON.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::ManifestGet => "manifest-get",
            Self::ManifestHead => "manifest-head",
            Self::BlobHead => "blob-head",
            Self::BlobGet => "blob-get",
            Self::Image => "image",
            Self::Tags => "tags",
            Self::Start => "start",
            Self::MemoryRest => "memory-rest",
            Self::MemoryPushes => "memory-pushes",
        }
    }

    /// What the line says, with its unit.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Push => "push of 32 MiB layers, CPU s/GiB",
            Self::Pull => "pull of those layers, CPU s/GiB",
            Self::ManifestGet => "manifest GET by tag, CPU µs",
            Self::ManifestHead => "manifest HEAD by tag, CPU µs",
            Self::BlobHead => "blob HEAD, CPU µs",
            Self::BlobGet => "blob GET of 1 KiB, CPU µs",
            Self::Image => "small image pushed, CPU ms",
            Self::Tags => "first 100 tags, CPU µs",
            Self::Start => "start to first answer, s",
            Self::MemoryRest => "resident at rest, MiB",
            Self::MemoryPushes => "resident during 64 pushes, MiB",
        }
    }

    /// Whether it is part of a pull, which a forge's accounts are to make no dearer.
    pub const fn is_pull(self) -> bool {
        matches!(self, Self::Pull | Self::ManifestGet | Self::ManifestHead | Self::BlobHead | Self::BlobGet)
    }

    /// What Railhead is held to.
    pub const fn targets(self) -> &'static [Target] {
        match self {
            Self::Push => &[Target::AtMost(1.8), Target::TimesHash(2.3)],
            Self::Pull => &[Target::TimesNginx(1.0)],
            Self::ManifestGet | Self::ManifestHead | Self::BlobHead => &[Target::TimesNginx(2.0)],
            Self::BlobGet => &[],
            Self::Image => &[Target::AtMost(4.0)],
            Self::Tags => &[Target::AtMost(100.0)],
            Self::Start => &[Target::AtMost(0.2)],
            Self::MemoryRest => &[Target::AtMost(15.0)],
            Self::MemoryPushes => &[Target::AtMost(48.0)],
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// In the metric's unit.
    pub value: f64,
    /// What the work cost as a whole, when there was work.
    pub cost: Option<Cost>,
    /// How much work it was: GiB, requests or images.
    pub amount: f64,
}

/// Everything a run found out.
#[derive(Default)]
pub struct Figures {
    samples: BTreeMap<(Metric, Kind), Vec<Sample>>,
    hash: Vec<f64>,
    /// The servers that ran, with their versions.
    pub servers: Vec<(Kind, String)>,
    /// The servers that were wanted and are not installed.
    pub absent: Vec<Kind>,
    /// Facts about the run that belong under the table.
    pub notes: Vec<String>,
}

impl Figures {
    /// Adds a measurement.
    pub fn add(&mut self, metric: Metric, kind: Kind, sample: Sample) {
        self.samples.entry((metric, kind)).or_default().push(sample);
    }

    /// Adds a measurement of `amount` units of work at `cost`; `scale` turns CPU seconds into the metric's unit.
    pub fn add_cost(&mut self, metric: Metric, kind: Kind, cost: Cost, amount: f64, scale: f64) {
        let value = cost.cpu.as_secs_f64() / amount * scale;
        self.add(metric, kind, Sample { value, cost: Some(cost), amount });
    }

    /// Adds the CPU seconds per GiB of SHA-256 alone.
    pub fn add_hash(&mut self, value: f64) {
        self.hash.push(value);
    }

    /// Samples of a metric.
    pub fn samples(&self, metric: Metric, kind: Kind) -> &[Sample] {
        self.samples.get(&(metric, kind)).map_or(&[], Vec::as_slice)
    }

    /// Median of a metric in its unit.
    pub fn median(&self, metric: Metric, kind: Kind) -> Option<f64> {
        median(self.samples(metric, kind).iter().map(|sample| sample.value))
    }

    /// Median CPU seconds per GiB of SHA-256 alone.
    pub fn hash(&self) -> Option<f64> {
        median(self.hash.iter().copied())
    }

    /// What `target` allows, in the metric's unit; `None` when this run lacks what it is compared with.
    pub fn bound(&self, metric: Metric, target: Target) -> Option<f64> {
        match target {
            Target::AtMost(bound) => Some(bound),
            Target::TimesNginx(times) => Some(self.median(metric, Kind::Nginx)? * times),
            Target::TimesHash(times) => Some(self.hash()? * times),
            Target::TimesLocal(times) => Some(self.median(metric, Kind::Railhead)? * times),
        }
    }

    /// The targets that Railhead's medians miss.
    pub fn missed(&self) -> Vec<(Metric, Target)> {
        let mut missed = Vec::new();
        for metric in Metric::ALL {
            let Some(value) = self.median(metric, Kind::Railhead) else { continue };
            for target in metric.targets() {
                if self.bound(metric, *target).is_some_and(|bound| value > bound) {
                    missed.push((metric, *target));
                }
            }
        }
        let dearer = self.with_forge().into_iter().filter(|(_, _, met)| !met);
        missed.extend(dearer.map(|(metric, ..)| (metric, WITH_FORGE)));
        missed
    }

    /// What each part of a pull costs with a forge's accounts, in times of what it costs with local ones, and whether that is
    /// within [`WITH_FORGE`].
    pub fn with_forge(&self) -> Vec<(Metric, f64, bool)> {
        let ratio = |metric| {
            let value = self.median(metric, Kind::RailheadForge)?;
            let local = self.median(metric, Kind::Railhead)?;
            Some((metric, value / local, value <= self.bound(metric, WITH_FORGE)?))
        };
        Metric::ALL.into_iter().filter(|metric| metric.is_pull()).filter_map(ratio).collect()
    }
}

/// The median; `None` of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn a_target_is_missed_only_when_its_measure_is_there() {
        let sample = |value| Sample { value, cost: None, amount: 1.0 };
        let mut figures = Figures::default();
        figures.add(Metric::Pull, Kind::Railhead, sample(2.0));
        assert!(figures.missed().is_empty());
        figures.add(Metric::Pull, Kind::Nginx, sample(1.0));
        assert_eq!(figures.missed(), [(Metric::Pull, Target::TimesNginx(1.0))]);
    }

    #[test]
    fn a_pull_with_a_forges_accounts_is_held_to_one_with_local_ones() {
        let sample = |value| Sample { value, cost: None, amount: 1.0 };
        let mut figures = Figures::default();
        figures.add(Metric::BlobGet, Kind::RailheadForge, sample(2.0));
        assert!(figures.with_forge().is_empty(), "nothing to compare with");
        figures.add(Metric::BlobGet, Kind::Railhead, sample(1.0));
        for kind in [Kind::Railhead, Kind::RailheadForge] {
            figures.add(Metric::Image, kind, sample(1.0));
        }
        assert_eq!(figures.with_forge(), [(Metric::BlobGet, 2.0, false)]);
        assert_eq!(figures.missed(), [(Metric::BlobGet, WITH_FORGE)]);
    }
}
