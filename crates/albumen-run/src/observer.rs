//! What a run tells whoever started it: a small interface, so that every front end shows it in its own way.

use std::sync::Arc;

/// One piece of news of a run. None holds anything private: private work tells its share in twentieths, and
/// no counts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum News<'a> {
    /// Work has begun.
    Started {
        /// The stage's name, or what else is done.
        work: &'a str,
    },
    /// Work goes on.
    Progress {
        /// As in [`News::Started`].
        work: &'a str,
        /// The finished share, 0 to 1.
        share: f64,
        /// A few words; may be empty.
        words: &'a str,
    },
    /// Work is done.
    Finished {
        /// As in [`News::Started`].
        work: &'a str,
        /// What came of it; may be empty.
        words: &'a str,
    },
    /// Work ended without a result. The error itself reaches the caller.
    Stopped {
        /// As in [`News::Started`].
        work: &'a str,
    },
    /// A line for people.
    Note(&'a str),
}

/// Hears the news of a run, on whichever thread has some.
pub trait Observer: Send + Sync {
    /// Takes one piece of news.
    fn tell(&self, news: News<'_>);
}

/// An observer that several parts of a run share.
pub type Shared = Arc<dyn Observer>;

/// An observer that listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn tell(&self, _: News<'_>) {}
}

/// Work that is under way.
pub struct Progress {
    observer: Shared,
    work: String,
    coarse: bool,
    finished: bool,
}

impl Progress {
    /// Begins work whose share is public.
    pub fn start(observer: &Shared, work: &str) -> Self {
        Self::begin(observer, work, false)
    }

    /// Begins work on private things: its share is told in twentieths, since finer steps would tell how
    /// many things there are.
    pub fn start_private(observer: &Shared, work: &str) -> Self {
        Self::begin(observer, work, true)
    }

    fn begin(observer: &Shared, work: &str, coarse: bool) -> Self {
        observer.tell(News::Started { work });
        Self {
            observer: Arc::clone(observer),
            work: work.to_owned(),
            coarse,
            finished: false,
        }
    }

    /// Sets the finished share, 0 to 1, with a few words that hold nothing private.
    pub fn set(&self, share: f64, words: &str) {
        let share = if self.coarse {
            (share * 20.0).floor() / 20.0
        } else {
            share
        };
        self.observer.tell(News::Progress {
            work: &self.work,
            share,
            words,
        });
    }

    /// A line for people.
    pub fn note(&self, line: &str) {
        self.observer.tell(News::Note(line));
    }

    /// Ends the work.
    pub fn finish(mut self, words: &str) {
        self.finished = true;
        self.observer.tell(News::Finished {
            work: &self.work,
            words,
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.finished {
            self.observer.tell(News::Stopped { work: &self.work });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn tell(&self, news: News<'_>) {
            self.0.lock().unwrap().push(format!("{news:?}"));
        }
    }

    #[test]
    fn private_work_tells_twentieths_and_dropped_work_that_it_stopped() {
        let heard = Arc::new(Heard::default());
        let observer: Shared = heard.clone();
        let private = Progress::start_private(&observer, "caption");
        private.set(0.1234, "");
        drop(private);
        let public = Progress::start(&observer, "render");
        public.set(0.1234, "5 of 40");
        public.finish("40 pictures");
        let heard = heard.0.lock().unwrap();
        assert!(heard[1].contains("share: 0.1,"), "{}", heard[1]);
        assert!(heard[2].starts_with("Stopped"), "{}", heard[2]);
        assert!(heard[4].contains("share: 0.1234"), "{}", heard[4]);
        assert!(heard[5].starts_with("Finished"), "{}", heard[5]);
        assert_eq!(heard.len(), 6);
    }
}
