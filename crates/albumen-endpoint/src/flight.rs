//! Many requests, a bounded number of them in flight.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};

/// Lets a bounded number of holders through at once.
#[derive(Debug)]
pub(crate) struct Gate {
    free: Mutex<usize>,
    left: Condvar,
}

/// A place in a [`Gate`], given back when dropped.
pub(crate) struct Place<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            free: Mutex::new(places.max(1)),
            left: Condvar::new(),
        }
    }

    /// Waits for a place.
    pub(crate) fn enter(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .left
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.left.notify_one();
    }
}

/// Asks for each item on up to `workers` threads and hands each answer, with the item's index, to
/// `answered` on this thread as soon as it is there.
///
/// After the first error no further item is begun; answers of those under way are still handed over.
pub(crate) fn ask_all<T: Sync, A: Send, E: Send>(
    workers: usize,
    items: &[T],
    ask: &(dyn Fn(&T) -> Result<A, E> + Sync),
    answered: &mut dyn FnMut(usize, A) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (send, answers) = mpsc::channel();
        for _ in 0..workers.min(items.len()) {
            let send = send.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(index) else { break };
                    let answer = ask(item);
                    if answer.is_err() {
                        stop.store(true, Ordering::SeqCst);
                    }
                    if send.send((index, answer)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut first = Ok(());
        for (index, answer) in answers {
            let done = answer.and_then(|answer| answered(index, answer));
            if let Err(error) = done {
                stop.store(true, Ordering::SeqCst);
                if first.is_ok() {
                    first = Err(error);
                }
            }
        }
        first
    })
}
