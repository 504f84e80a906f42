//! Reads a caption: who and what is in it, how many, in which colour, where and when.

use crate::error::Result;
use crate::tables::{Group, Sense, Tables, person};
use crate::words::{singulars, tokens};

/// Subjects of one caption that are drawn; the rest would only crowd the picture.
const MAX_MENTIONS: usize = 5;

/// How many of a subject stand for a plural without a number ("dogs").
const PLURAL: usize = 3;

/// Most of one subject in a picture.
const MAX_COUNT: usize = 6;

/// Who or what is mentioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A thing or an animal, by its icon.
    Icon(String),
    /// People, by their roles (`man`, `girl` ...) and what they do.
    People {
        figures: Vec<String>,
        pose: Option<String>,
    },
}

/// One mention of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) subject: Subject,
    pub(crate) count: usize,
    pub(crate) colour: Option<String>,
    /// The caption is not sure ("perhaps a dog").
    pub(crate) hedged: bool,
}

/// What a caption says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) mentions: Vec<Mention>,
    pub(crate) place: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) weather: Option<String>,
    pub(crate) season: Option<String>,
    pub(crate) shot: Option<String>,
    /// Colours of the picture as a whole ("mostly blue and grey").
    pub(crate) colours: Vec<String>,
}

/// Finds the icon for a phrase that no table knows.
pub(crate) type Guess<'a> = dyn Fn(&str) -> Result<Option<String>> + 'a;

/// Reads `text`; `guess` is asked about words that no table knows, and `choice` picks an icon for
/// words that name a kind ("a tool").
pub(crate) fn read(text: &str, tables: &Tables, guess: &Guess, choice: usize) -> Result<Reading> {
    let mut reader = Reader {
        tables,
        guess,
        choice,
        clause: Clause::default(),
        out: Reading::default(),
    };
    let tokens = tokens(text);
    let mut i = 0;
    while i < tokens.len() {
        i += reader.step(&tokens, i)?;
    }
    reader.end_clause()?;
    let mut out = reader.out;
    // "a church, perhaps a palace" is one building: a guess is drawn only where nothing is sure.
    if out.mentions.iter().any(|m| !m.hedged) {
        out.mentions.retain(|m| !m.hedged);
    } else {
        out.mentions.truncate(1);
    }
    out.mentions.truncate(MAX_MENTIONS);
    Ok(out)
}

/// What has been read of the current clause and waits for its noun.
#[derive(Default)]
struct Clause {
    count: Option<usize>,
    colour: Option<String>,
    /// A colour word that is also a thing's name ("an orange").
    colour_thing: Option<String>,
    unknown: Vec<String>,
    /// After "mostly": colours are the picture's.
    picture_colours: bool,
    hedged: bool,
    pose: Option<String>,
    /// A mention that the very last word read has made.
    fresh: Option<usize>,
}

struct Reader<'a> {
    tables: &'a Tables,
    guess: &'a Guess<'a>,
    choice: usize,
    clause: Clause,
    out: Reading,
}

impl Reader<'_> {
    /// Reads the longest known phrase at `i`, and returns its length in words.
    fn step(&mut self, tokens: &[String], i: usize) -> Result<usize> {
        let word = tokens[i].as_str();
        if word.is_empty() {
            self.end_clause()?;
            return Ok(1);
        }
        match word {
            "mostly" | "mainly" | "predominantly" => self.clause.picture_colours = true,
            "perhaps" | "maybe" | "possibly" | "probably" | "likely" => self.clause.hedged = true,
            _ => {}
        }
        let end = (i..tokens.len())
            .take(self.tables.longest)
            .take_while(|&j| !tokens[j].is_empty())
            .last()
            .unwrap_or(i);
        for last in (i..=end).rev() {
            let phrase = tokens[i..=last].join(" ");
            let senses = self.tables.senses(&phrase);
            if !senses.is_empty() {
                self.take(senses, false)?;
                return Ok(last + 1 - i);
            }
            let head = tokens[i..last].join(" ");
            for one in singulars(&tokens[last]) {
                let phrase = if head.is_empty() {
                    one
                } else {
                    format!("{head} {one}")
                };
                let senses = self.tables.senses(&phrase);
                if !senses.is_empty() {
                    self.take(senses, true)?;
                    return Ok(last + 1 - i);
                }
            }
        }
        self.clause.unknown.push(word.to_owned());
        self.clause.fresh = None;
        Ok(1)
    }

    fn take(&mut self, senses: &[Sense], plural: bool) -> Result<()> {
        // "French horn" known, "Turkish lute" not: an unknown word before a known noun is its
        // adjective, and only what stands before anything else is asked about.
        let fresh = self.clause.fresh.take();
        let noun = senses
            .iter()
            .any(|s| matches!(s, Sense::Icon(_) | Sense::OneOf(_) | Sense::People { .. }));
        if noun && !matches!(senses[0], Sense::Colour(_)) {
            self.clause.unknown.clear();
        } else {
            self.flush_unknown()?;
        }
        let thing = senses[1..].iter().find(|s| matches!(s, Sense::Icon(_)));
        match (&senses[0], thing) {
            // "Oranges" are not a colour.
            (Sense::Colour(_), Some(Sense::Icon(icon))) if plural => {
                self.thing(icon, true, fresh);
                return Ok(());
            }
            (Sense::Colour(name), _) => {
                self.take_colour(name, senses);
                return Ok(());
            }
            _ => {}
        }
        let implied = senses.iter().find_map(|s| match s {
            Sense::Implied(colour) => Some(colour.clone()),
            _ => None,
        });
        self.clause.colour = self.clause.colour.take().or(implied);
        let mut seen_noun = false;
        for sense in senses {
            match sense {
                Sense::Stop => self.leave_colour(),
                Sense::Time(name) => set(&mut self.out.time, name),
                Sense::Weather(name) => set(&mut self.out.weather, name),
                Sense::Season(name) => set(&mut self.out.season, name),
                Sense::Shot(name) => set(&mut self.out.shot, name),
                Sense::Place(name) => set(&mut self.out.place, name),
                Sense::Number(n) => self.clause.count = Some(*n),
                Sense::Pose(pose) => self.take_pose(pose),
                Sense::Icon(icon) if !seen_noun => {
                    seen_noun = true;
                    self.thing(icon, plural, fresh);
                }
                Sense::OneOf(icons) if !seen_noun => {
                    seen_noun = true;
                    if let Some(icon) = icons.get(self.choice % icons.len().max(1)) {
                        self.thing(icon, plural, fresh);
                    }
                }
                Sense::People { figures, pose } if !seen_noun => {
                    seen_noun = true;
                    let pose = pose.clone().or_else(|| self.clause.pose.take());
                    self.mention(
                        Subject::People {
                            figures: figures.clone(),
                            pose,
                        },
                        plural,
                    );
                }
                Sense::Icon(_)
                | Sense::OneOf(_)
                | Sense::Implied(_)
                | Sense::People { .. }
                | Sense::Colour(_) => {}
            }
        }
        Ok(())
    }

    /// A thing or an animal. `fresh` is the mention that the word before has made: in "wolf
    /// spider", "tiger beetle" the last of adjoining nouns is the head.
    fn thing(&mut self, icon: &str, plural: bool, fresh: Option<usize>) {
        if let Some(at) = fresh
            && at + 1 == self.out.mentions.len()
        {
            let modifier = self.out.mentions.remove(at);
            self.clause.count = self.clause.count.or(Some(modifier.count));
            self.clause.colour = self.clause.colour.take().or(modifier.colour);
        }
        self.mention(Subject::Icon(icon.to_owned()), plural);
        self.clause.fresh = (!plural).then(|| self.out.mentions.len().saturating_sub(1));
    }

    fn take_colour(&mut self, name: &str, senses: &[Sense]) {
        if self.clause.picture_colours {
            self.out.colours.push(name.to_owned());
            return;
        }
        self.leave_colour();
        self.clause.colour = Some(name.to_owned());
        // "An orange" may be a thing; "in orange" is not.
        let counted = self.clause.count.is_some();
        self.clause.colour_thing = senses.iter().find_map(|s| match s {
            Sense::Icon(icon) if counted => Some(icon.clone()),
            _ => None,
        });
    }

    /// A colour whose noun never came is a thing ("an orange") or the picture's own.
    fn leave_colour(&mut self) {
        if let Some(icon) = self.clause.colour_thing.take() {
            self.clause.colour = None;
            self.mention(Subject::Icon(icon), false);
        } else if let Some(colour) = self.clause.colour.take() {
            self.out.colours.push(colour);
        }
    }

    /// What people do belongs to the people just named, or to those who come next.
    fn take_pose(&mut self, pose: &str) {
        for m in self.out.mentions.iter_mut().rev() {
            if let Subject::People {
                pose: doing @ None, ..
            } = &mut m.subject
            {
                *doing = Some(pose.to_owned());
                return;
            }
        }
        self.clause.pose = Some(pose.to_owned());
    }

    fn mention(&mut self, subject: Subject, plural: bool) {
        let counted = self.clause.count.take();
        // "a dogs" does not occur, but "a group of" + plural does: the larger number wins.
        let count = match counted {
            Some(1) | None if plural => PLURAL,
            Some(n) => n.min(MAX_COUNT),
            None => 1,
        };
        let colour = self.clause.colour.take();
        self.clause.colour_thing = None;
        if self.worn(&subject, colour.as_deref()) {
            return;
        }
        if let Some(known) = self.out.mentions.iter_mut().find(|m| m.subject == subject) {
            known.count = known.count.max(count);
            return;
        }
        let hedged = self.clause.hedged;
        self.out.mentions.push(Mention {
            subject,
            count,
            colour,
            hedged,
        });
    }

    /// "A woman in a red dress" is one subject: clothes beside people only colour them.
    fn worn(&mut self, subject: &Subject, colour: Option<&str>) -> bool {
        let Subject::Icon(icon) = subject else {
            return false;
        };
        let clothing = self
            .tables
            .group(icon)
            .is_some_and(|g| g.theme == "clothing");
        let wearer = self
            .out
            .mentions
            .iter_mut()
            .rev()
            .find(|m| matches!(m.subject, Subject::People { .. }));
        let Some(wearer) = wearer.filter(|_| clothing) else {
            return false;
        };
        if wearer.colour.is_none() {
            wearer.colour = colour.map(str::to_owned);
        }
        true
    }

    /// Asks about the words that no table knows: all of them, then the last, then the others.
    fn flush_unknown(&mut self) -> Result<()> {
        let words = std::mem::take(&mut self.clause.unknown);
        let Some(last) = words.last() else {
            return Ok(());
        };
        let mut tries = vec![words.join(" ")];
        if words.len() > 1 {
            tries.push(last.clone());
        }
        for phrase in tries {
            if let Some(icon) = (self.guess)(&phrase)? {
                let plural = !singulars(last).is_empty() && last.ends_with('s');
                let subject = match person(&icon) {
                    Some((role, pose)) => Subject::People {
                        figures: vec![role.to_owned()],
                        pose: Some(pose.to_owned()),
                    },
                    None => Subject::Icon(icon),
                };
                self.mention(subject, plural);
                return Ok(());
            }
        }
        Ok(())
    }

    fn end_clause(&mut self) -> Result<()> {
        self.flush_unknown()?;
        self.leave_colour();
        if let Some(pose) = self.clause.pose.take() {
            let somebody = self.out.mentions.iter().any(|m| match &m.subject {
                Subject::Icon(icon) => self.tables.group(icon).is_some_and(Group::living),
                Subject::People { .. } => true,
            });
            if !somebody {
                let figures = vec!["person".to_owned()];
                self.mention(
                    Subject::People {
                        figures,
                        pose: Some(pose),
                    },
                    false,
                );
            }
        }
        self.clause = Clause::default();
        Ok(())
    }
}

/// The first word on a matter decides.
fn set(slot: &mut Option<String>, name: &str) {
    if slot.is_none() {
        *slot = Some(name.to_owned());
    }
}
