//! The run's ledger: opened for one release at a time, read for everything else.

use albumen_accounting::{Guarantee, Header, History, Ledger, account};
use albumen_files::sha256_hex;
use anyhow::{Context, ensure};

use super::{Ring, Stage};
use crate::runner::Runner;

impl Runner {
    /// Opens the ledger, or begins it.
    pub(super) fn open_ledger(&self) -> anyhow::Result<Ledger> {
        let path = self.dir.ledger();
        let p = &self.config.privacy;
        let insecure_seed = self.insecure_seed.is_some();
        // A file without one whole line is what a kill while it was begun leaves.
        let begun = std::fs::read(&path).is_ok_and(|bytes| bytes.contains(&b'\n'));
        if !begun {
            self.ensure_nothing_released()?;
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

    /// Fails where something that only a ledger pays for is there, and the ledger is not.
    fn ensure_nothing_released(&self) -> anyhow::Result<()> {
        let releasing = Stage::ALL.iter().filter(|s| s.ring() == Ring::Boundary);
        for &stage in releasing {
            let output = self.output(stage);
            ensure!(
                !output.exists(),
                "{} was released, but this run's ledger is gone\n  hint: put ledger.jsonl back; what \
                 was spent on it stays spent",
                output.display()
            );
        }
        Ok(())
    }

    /// Fails where a stage that releases something is finished and the ledger does not know of it.
    pub(crate) fn ensure_paid(&self, stage: Stage) -> anyhow::Result<()> {
        let history = || History::read(&self.dir.ledger()).context("cannot read the ledger");
        let lost = |what: &str| {
            format!(
                "{what} is not in this run's ledger\n  hint: the ledger or the file was replaced; put \
                 the newest copy of both back, or start a new run with another --out"
            )
        };
        match stage {
            Stage::Statistics => {
                for (name, _) in self.config.release.wanted() {
                    let path = self.output(stage).join(format!("{name}.json"));
                    let bytes = std::fs::read(&path)
                        .with_context(|| format!("cannot read {}", path.display()))?;
                    ensure!(
                        history()?.contains(name, &sha256_hex(&bytes)),
                        lost(&path.display().to_string())
                    );
                }
            }
            // The adapter itself is held against the ledger wherever it is read.
            _ if stage.model().is_some() => ensure!(
                history()?.entries().iter().any(|e| e.stage == stage.name()),
                lost(stage.name())
            ),
            _ => {}
        }
        Ok(())
    }

    /// What the run has spent so far.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn spent(&self) -> anyhow::Result<Guarantee> {
        let path = self.dir.ledger();
        Ok(if path.exists() {
            History::read(&path)?.guarantee()?
        } else {
            account(&[], self.config.privacy.delta)?
        })
    }
}
