//! What the crates of each ring may reach.

use crate::graph::{Graph, Package};
use crate::rings::{Family, HTTP, Never, PICTURES, Ring, Row, TENSORS};

/// Third-party packages under a core crate, at most, what it is built with included.
const MOST_PACKAGES: usize = 60;

/// The crate whose list is opendp's, and the package that brings that list: what comes by it is not
/// ours to choose.
const AROUND_OPENDP: (&str, &str) = ("albumen-oneshot", "opendp");

/// Crates of the core that models may reach: none runs a mechanism or holds a private value.
const PLAIN: [&str; 3] = ["albumen-files", "albumen-names", "albumen-schema"];

/// What models may reach by way of the schema alone: its types name the accountant's unit.
const BY_SCHEMA: (&str, &str) = ("albumen-schema", "albumen-accounting");

/// Seals and opens private values, so it is not for public crates, though it is in the core.
const SEALS: &str = "albumen-dp";

impl Ring {
    fn may_reach(self, other: &Row) -> bool {
        match self {
            Self::Core => other.ring == Self::Core,
            Self::Private => other.ring != Self::Front,
            Self::Public => {
                matches!(other.ring, Self::Core | Self::Public | Self::Models)
                    && other.name != SEALS
            }
            Self::Models => other.ring == Self::Models || PLAIN.contains(&other.name),
            Self::Front => true,
        }
    }

    /// Third-party packages that no crate of the ring may reach.
    fn never(self) -> &'static [Never] {
        match self {
            Self::Core => &[
                Never::Family(&TENSORS),
                Never::Family(&HTTP),
                Never::Family(&PICTURES),
            ],
            _ => &[],
        }
    }
}

impl Family {
    fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|p| match p.strip_suffix('*') {
            Some(beginning) => package.starts_with(beginning),
            None => package == *p,
        })
    }
}

impl Never {
    fn is(self, package: &str) -> bool {
        match self {
            Self::Package(name) => package == name,
            Self::Family(family) => family.has(package),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Package(_) => "which its row forbids",
            Self::Family(family) => family.what,
        }
    }
}

/// Crates without a row, and rows without a crate.
pub(crate) fn unmatched(rows: &[Row], members: &[String]) -> Vec<String> {
    let without_row = (members.iter())
        .filter(|m| !rows.iter().any(|r| r.name == *m))
        .map(|m| format!("{m} has no row in xtask/src/rings.rs: name its ring"));
    let without_crate = (rows.iter())
        .filter(|r| !members.iter().any(|m| m == r.name))
        .map(|r| {
            format!(
                "xtask/src/rings.rs has a row for {}, which is no crate",
                r.name
            )
        });
    without_row.chain(without_crate).collect()
}

/// Every rule that a crate breaks, given what it is built of.
pub(crate) fn broken(rows: &[Row], row: &Row, graph: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    let mut third_party = 0;
    for package in graph.reach() {
        let route = || graph.route(package).join(" -> ");
        let other = rows.iter().find(|r| r.name == package.name);
        if let Some(other) =
            other.filter(|other| !row.ring.may_reach(other) && !by_schema(row, graph, package))
        {
            broken.push(format!(
                "{} ({}) reaches {} ({}): {}",
                row.name,
                row.ring.name(),
                other.name,
                other.ring.name(),
                route()
            ));
        }
        if opendps(row, graph, package) {
            continue;
        }
        if package.third_party {
            third_party += 1;
        }
        for never in row.ring.never().iter().chain(row.never) {
            if never.is(&package.name) {
                let (of, what) = (row.name, never.what());
                broken.push(format!(
                    "{of} reaches {}, {what}: {}",
                    package.name,
                    route()
                ));
            }
        }
    }
    if row.ring == Ring::Core && third_party > MOST_PACKAGES {
        broken.push(format!(
            "{} is built of {third_party} third-party packages; a core crate has at most \
             {MOST_PACKAGES}",
            row.name
        ));
    }
    broken
}

/// Whether a model's crate reaches the package through the schema's types only.
fn by_schema(row: &Row, graph: &Graph, package: &Package) -> bool {
    let (schema, of) = BY_SCHEMA;
    row.ring == Ring::Models && package.name == of && graph.route(package).contains(&schema)
}

/// Whether the package is one that opendp brings into the crate that is there for it.
fn opendps(row: &Row, graph: &Graph, package: &Package) -> bool {
    let (name, opendp) = AROUND_OPENDP;
    row.name == name && graph.route(package).contains(&opendp)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
