//! The run's ledger: opened for one release at a time, read for everything else.

use albumen_accounting::{Guarantee, Header, History, Ledger, account};
use anyhow::{Context, ensure};

use super::Runner;

impl Runner {
    /// Opens the ledger, or begins it.
    pub(super) fn open_ledger(&self) -> anyhow::Result<Ledger> {
        let path = self.dir.ledger();
        let p = &self.config.privacy;
        let insecure_seed = self.insecure_seed.is_some();
        // A file without one whole line is what a kill while it was begun leaves.
        let begun = std::fs::read(&path).is_ok_and(|bytes| bytes.contains(&b'\n'));
        if !begun {
            let header = Header {
                insecure_seed,
                tuning_runs: p.tuning_runs,
                ..Header::new(&self.config.name, p.unit, p.declared_units, p.delta)
            };
            return Ledger::create(&path, header).context("cannot begin the ledger");
        }
        let ledger = Ledger::open(&path).context("cannot open the ledger")?;
        let header = ledger.history().header();
        ensure!(
            header.insecure_seed == insecure_seed,
            "this run's ledger was begun {} --insecure-seed\n  hint: go on the same way, or use \
             another --out",
            if header.insecure_seed {
                "with"
            } else {
                "without"
            }
        );
        ensure!(
            header.unit == p.unit
                && header.declared_units == p.declared_units
                && header.delta == p.delta,
            "this run's ledger speaks of another guarantee: unit {}, {} declared, delta {:e}\n  \
             hint: use another --out",
            header.unit,
            header.declared_units,
            header.delta
        );
        ensure!(
            header.tuning_runs == p.tuning_runs,
            "this run's ledger declares other tuning runs than the configuration\n  hint: the \
             declaration is fixed before the first release; put `privacy.tuning_runs` back, or use \
             another --out"
        );
        Ok(ledger)
    }

    /// What the run has spent so far.
    pub(crate) fn spent(&self) -> anyhow::Result<Guarantee> {
        let path = self.dir.ledger();
        Ok(if path.exists() {
            History::read(&path)?.guarantee()?
        } else {
            account(&[], self.config.privacy.delta)?
        })
    }
}
