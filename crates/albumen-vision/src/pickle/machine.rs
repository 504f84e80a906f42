//! The pickle stack machine, cut down to what a state dict needs.

use std::collections::HashMap;

/// No state dict comes near this; it bounds the memory a hostile file can ask for.
const MAX_VALUES: usize = 1 << 20;

/// Where reading stopped, and why.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) reason: String,
}

pub(super) type Parsed<T> = std::result::Result<T, Fault>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Long,
}

impl Kind {
    pub(super) fn size_bytes(self) -> usize {
        match self {
            Self::Float => 4,
            Self::Long => 8,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    Storage(Kind),
}

#[derive(Debug)]
pub(super) struct TensorRef {
    pub(super) storage: String,
    pub(super) kind: Kind,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In elements.
    pub(super) strides: Vec<usize>,
}

/// Children are indices into the arena.
#[derive(Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Integer(i64),
    Text(String),
    Tuple(Vec<usize>),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Global(Global),
    Storage { key: String, kind: Kind },
    Tensor(TensorRef),
}

/// A cursor over the file.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn fault<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err(Fault {
            offset: self.at,
            reason: reason.into(),
        })
    }

    pub(super) fn take(&mut self, n: usize) -> Parsed<&'a [u8]> {
        let left = self.bytes.len() - self.at;
        if n > left {
            return self.fault(format!("{n} bytes are needed and {left} are left"));
        }
        self.at += n;
        Ok(&self.bytes[self.at - n..self.at])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(super) fn byte(&mut self) -> Parsed<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn count(&mut self) -> Parsed<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self, n: usize) -> Parsed<String> {
        let bytes = self.take(n)?;
        String::from_utf8(bytes.to_vec()).or_else(|_| self.fault("a string is not UTF-8"))
    }

    fn line(&mut self) -> Parsed<String> {
        match self.bytes[self.at..]
            .iter()
            .take(128)
            .position(|&b| b == b'\n')
        {
            Some(n) => {
                let line = self.text(n)?;
                self.at += 1;
                Ok(line)
            }
            None => self.fault("a global's name does not end"),
        }
    }
}

/// The stack machine; after [`Machine::run`] it holds the values of one pickle.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) values: Vec<Value>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: HashMap<usize, usize>,
    pub(super) storage_kinds: HashMap<String, Kind>,
    pub(super) result: usize,
}

impl Machine {
    pub(super) fn run(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut machine = Self::default();
        while !machine.step(reader)? {}
        Ok(machine)
    }

    /// Runs one instruction; true where it was STOP.
    fn step(&mut self, r: &mut Reader<'_>) -> Parsed<bool> {
        match r.byte()? {
            0x80 => {
                if r.byte()? != 2 {
                    return r.fault("only pickle protocol 2 is read");
                }
            }
            b'.' => {
                self.result = self.pop(r)?;
                return Ok(true);
            }
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(r, Value::None)?,
            0x88 => self.push(r, Value::Bool(true))?,
            0x89 => self.push(r, Value::Bool(false))?,
            b'K' => {
                let n = r.byte()?;
                self.push(r, Value::Integer(n.into()))?;
            }
            b'M' => {
                let n = u16::from_le_bytes(r.array()?);
                self.push(r, Value::Integer(n.into()))?;
            }
            b'J' => {
                let n = i32::from_le_bytes(r.array()?);
                self.push(r, Value::Integer(n.into()))?;
            }
            b'X' => {
                let n = r.count()?;
                let text = r.text(n)?;
                self.push(r, Value::Text(text))?;
            }
            b'}' => self.push(r, Value::Dict(Vec::new()))?,
            b']' => self.push(r, Value::List(Vec::new()))?,
            b')' => self.push(r, Value::Tuple(Vec::new()))?,
            b't' => {
                let items = self.pop_to_mark(r)?;
                self.push(r, Value::Tuple(items))?;
            }
            n @ 0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0..n - 0x84 {
                    items.insert(0, self.pop(r)?);
                }
                self.push(r, Value::Tuple(items))?;
            }
            b's' => {
                let (value, key) = (self.pop(r)?, self.pop(r)?);
                self.extend_dict(r, &[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark(r)?;
                self.extend_dict(r, &items)?;
            }
            b'e' => {
                let items = self.pop_to_mark(r)?;
                let list = self.top(r)?;
                let Value::List(old) = &mut self.values[list] else {
                    return r.fault("APPENDS without a list");
                };
                old.extend(items);
            }
            code @ (b'q' | b'r' | b'h' | b'j') => self.memoize(r, code)?,
            b'c' => {
                let global = read_global(r)?;
                self.push(r, Value::Global(global))?;
            }
            b'Q' => self.persistent_storage(r)?,
            b'R' => self.reduce(r)?,
            // BUILD sets an object's attributes; a state dict has only `_metadata`, unused here.
            b'b' => {
                self.pop(r)?;
            }
            other => {
                return r.fault(format!(
                    "the pickle instruction 0x{other:02x} is not allowed"
                ));
            }
        }
        Ok(false)
    }

    /// BINPUT and LONG_BINPUT store the top of the stack, BINGET and LONG_BINGET fetch it again.
    fn memoize(&mut self, r: &mut Reader<'_>, code: u8) -> Parsed<()> {
        let slot = if matches!(code, b'q' | b'h') {
            r.byte()?.into()
        } else {
            r.count()?
        };
        if matches!(code, b'q' | b'r') {
            let top = self.top(r)?;
            self.memo.insert(slot, top);
            return Ok(());
        }
        if self.stack.len() >= MAX_VALUES {
            return r.fault("the pickle's stack is too deep");
        }
        match self.memo.get(&slot) {
            Some(&value) => self.stack.push(value),
            None => return r.fault(format!("the pickle's memo has no slot {slot}")),
        }
        Ok(())
    }

    fn push(&mut self, r: &Reader<'_>, value: Value) -> Parsed<()> {
        if self.values.len() >= MAX_VALUES {
            return r.fault("the pickle holds too many values");
        }
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    /// The index of the topmost value above the last mark.
    fn top(&self, r: &Reader<'_>) -> Parsed<usize> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&top) if self.stack.len() > floor => Ok(top),
            _ => r.fault("the pickle's stack is empty"),
        }
    }

    fn pop(&mut self, r: &Reader<'_>) -> Parsed<usize> {
        let top = self.top(r)?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self, r: &Reader<'_>) -> Parsed<Vec<usize>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => r.fault("the pickle's mark is missing"),
        }
    }

    fn extend_dict(&mut self, r: &Reader<'_>, items: &[usize]) -> Parsed<()> {
        let dict = self.top(r)?;
        let Value::Dict(entries) = &mut self.values[dict] else {
            return r.fault("SETITEMS without a dict");
        };
        if items.len() % 2 == 1 {
            return r.fault("a dict key has no value");
        }
        entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        Ok(())
    }

    /// BINPERSID of ("storage", storage type, key, location, element count, view metadata).
    fn persistent_storage(&mut self, r: &Reader<'_>) -> Parsed<()> {
        let id = self.pop(r)?;
        if let Value::Tuple(items) = &self.values[id]
            && let [tag, kind, key, _, _, view] = items[..]
            && self.text(tag) == Some("storage")
            && let Value::Global(Global::Storage(kind)) = self.values[kind]
            && let Some(key) = self.text(key)
            && matches!(self.values[view], Value::None)
        {
            let key = key.to_owned();
            if self
                .storage_kinds
                .insert(key.clone(), kind)
                .is_some_and(|old| old != kind)
            {
                return r.fault(format!("storage {key} has two element types"));
            }
            return self.push(r, Value::Storage { key, kind });
        }
        r.fault("a persistent id is not that of a storage")
    }

    fn reduce(&mut self, r: &Reader<'_>) -> Parsed<()> {
        let (arguments, callable) = (self.pop(r)?, self.pop(r)?);
        let (Value::Global(global), Value::Tuple(items)) =
            (&self.values[callable], &self.values[arguments])
        else {
            return r.fault("REDUCE without a global and its arguments");
        };
        match (global, &items[..]) {
            (Global::OrderedDict, []) => self.push(r, Value::Dict(Vec::new())),
            // (storage, offset, size, stride, requires_grad, backward_hooks)
            (Global::RebuildTensor, &[storage, offset, size, stride, _, _]) => {
                if let Value::Storage { key, kind } = &self.values[storage]
                    && let Some(offset) = self.size(offset)
                    && let (Some(shape), Some(strides)) = (self.sizes(size), self.sizes(stride))
                    && shape.len() == strides.len()
                {
                    let tensor = TensorRef {
                        storage: key.clone(),
                        kind: *kind,
                        offset,
                        shape,
                        strides,
                    };
                    return self.push(r, Value::Tensor(tensor));
                }
                r.fault("a tensor is not a view of a storage")
            }
            _ => r.fault("a call that no state dict makes"),
        }
    }

    pub(super) fn integer(&self, value: usize) -> Option<i64> {
        match self.values[value] {
            Value::Integer(n) => Some(n),
            _ => None,
        }
    }

    fn size(&self, value: usize) -> Option<usize> {
        self.integer(value).and_then(|n| usize::try_from(n).ok())
    }

    fn sizes(&self, value: usize) -> Option<Vec<usize>> {
        match &self.values[value] {
            Value::Tuple(items) => items.iter().map(|&i| self.size(i)).collect(),
            _ => None,
        }
    }

    pub(super) fn text(&self, value: usize) -> Option<&str> {
        match &self.values[value] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn entries(&self, value: usize) -> Option<&[(usize, usize)]> {
        match &self.values[value] {
            Value::Dict(entries) => Some(entries),
            _ => None,
        }
    }
}

fn read_global(r: &mut Reader<'_>) -> Parsed<Global> {
    let (module, name) = (r.line()?, r.line()?);
    match (module.as_str(), name.as_str()) {
        ("collections", "OrderedDict") => Ok(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Ok(Global::RebuildTensor),
        ("torch", "FloatStorage") => Ok(Global::Storage(Kind::Float)),
        ("torch", "LongStorage") => Ok(Global::Storage(Kind::Long)),
        _ => r.fault(format!("the global {module}.{name} is not allowed")),
    }
}
