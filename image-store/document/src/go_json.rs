//! JSON of strangers as Go reads it, since nearly all tools of the field are written in Go: names of
//! members in any case, and `null` as nothing. Stricter in one thing: a member that is there twice, in
//! whatever case, refuses the document, because two readers could take it differently.
//!
//! It lies around serde_json's own reader, without a tree in between. Depth is bounded by that, size by
//! the callers, and the number of values here.

mod name;
mod nothing;
mod repair;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer, UnitDeserializer};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    SeqAccess, Visitor,
};
use serde_json::{Result, Value};

use name::Name;
use nothing::Nothing;

/// Most values in one document. A text of the largest size that is read anywhere could hold millions,
/// at fifty times its size in memory.
const MAX_VALUES: u32 = 1 << 18;

/// Types of which members that must be there may be missing: old tools left them out.
const WITH_GAPS: [&str; 2] = ["ImageConfiguration", "RootFs"];

/// Reads one document, all of it.
///
/// # Errors
/// What is wrong with the text, or with its members.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    read(&repaired(bytes))
}

/// A document of which parts are borrowed, with texts replaced that are no Unicode.
#[must_use]
pub fn repaired(bytes: &[u8]) -> Cow<'_, [u8]> {
    repair::repaired(bytes)
}

/// Reads one document, all of it, that was [`repaired`].
///
/// # Errors
/// As [`from_slice`].
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T> {
    let left = Cell::new(MAX_VALUES);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let inner = &mut reader;
    let read = T::deserialize(Go { inner, left: &left })?;
    reader.end()?;
    Ok(read)
}

/// Reads a part of a document that was read as a tree.
///
/// # Errors
/// What is wrong with its members.
pub fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T> {
    let left = Cell::new(MAX_VALUES);
    T::deserialize(Go {
        inner: value,
        left: &left,
    })
}

/// A reader of values as Go reads them.
struct Go<'a, D> {
    inner: D,
    left: &'a Cell<u32>,
}

/// What is expected, where that matters.
#[derive(Clone, Copy)]
enum Hint {
    Text,
    Number,
    Bool,
    List,
    Map,
    Struct(Shape),
    /// Anything or nothing.
    Optional,
}

impl<'de, D: Deserializer<'de>> Go<'_, D> {
    fn read<V: Visitor<'de>>(
        self,
        hint: Hint,
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| {
            D::Error::custom(format_args!("it holds more than {MAX_VALUES} values"))
        })?;
        self.left.set(left);
        let left = self.left;
        self.inner.deserialize_option(Reader {
            hint,
            visitor,
            left,
        })
    }
}

macro_rules! hinted {
    ($($method:ident => $hint:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, D::Error> {
            self.read(Hint::$hint, visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Go<'_, D> {
    type Error = D::Error;

    hinted! {
        deserialize_str => Text,
        deserialize_string => Text,
        deserialize_char => Text,
        deserialize_bool => Bool,
        deserialize_u8 => Number,
        deserialize_u16 => Number,
        deserialize_u32 => Number,
        deserialize_u64 => Number,
        deserialize_i8 => Number,
        deserialize_i16 => Number,
        deserialize_i32 => Number,
        deserialize_i64 => Number,
        deserialize_f32 => Number,
        deserialize_f64 => Number,
        deserialize_seq => List,
        deserialize_map => Map,
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        let with_gaps = WITH_GAPS.contains(&name);
        self.read(Hint::Struct(Shape { fields, with_gaps }), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        let (hint, left) = (Hint::Optional, self.left);
        self.inner.deserialize_option(Reader {
            hint,
            visitor,
            left,
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

/// Reads a value of the kind that is expected, or what Go makes of `null`: nothing of that kind.
struct Reader<'a, V> {
    hint: Hint,
    visitor: V,
    left: &'a Cell<u32>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Reader<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<V::Value, E> {
        self.visit_none()
    }

    fn visit_none<E: Error>(self) -> std::result::Result<V::Value, E> {
        match self.hint {
            Hint::Optional => self.visitor.visit_none(),
            Hint::Text => self.visitor.visit_borrowed_str(""),
            Hint::Number => self.visitor.visit_u64(0),
            Hint::Bool => self.visitor.visit_bool(false),
            Hint::List => self.visitor.visit_seq(Nothing(PhantomData)),
            Hint::Map => self.visitor.visit_map(Nothing(PhantomData)),
            Hint::Struct(_) => self.visit_map(Nothing(PhantomData)),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> std::result::Result<V::Value, D::Error> {
        match self.hint {
            Hint::Optional => {
                let left = self.left;
                self.visitor.visit_some(Go { inner, left })
            }
            Hint::Text | Hint::Number | Hint::Bool => inner.deserialize_any(self.visitor),
            Hint::List => inner.deserialize_seq(self),
            Hint::Map | Hint::Struct(_) => inner.deserialize_map(self),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<V::Value, A::Error> {
        let left = self.left;
        self.visitor.visit_seq(Elements { list, left })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<V::Value, A::Error> {
        let left = self.left;
        match self.hint {
            Hint::Struct(shape) => self.visitor.visit_map(Members::new(map, shape, left)),
            _ => self.visitor.visit_map(Entries::new(map, left)),
        }
    }
}

/// Reads one value as Go does.
struct AsGo<'a, S> {
    seed: S,
    left: &'a Cell<u32>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for AsGo<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(
        self,
        inner: D,
    ) -> std::result::Result<S::Value, D::Error> {
        let left = self.left;
        self.seed.deserialize(Go { inner, left })
    }
}

struct Elements<'a, A> {
    list: A,
    left: &'a Cell<u32>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<Option<S::Value>, A::Error> {
        let left = self.left;
        self.list.next_element_seed(AsGo { seed, left })
    }
}

/// What is known of the members of a type.
#[derive(Clone, Copy)]
struct Shape {
    fields: &'static [&'static str],
    /// Whether those that must be there may be missing.
    with_gaps: bool,
}

/// The members of a type: known by their names in any case, each once.
struct Members<'a, A> {
    map: Option<A>,
    shape: Shape,
    left: &'a Cell<u32>,
    /// A bit for each field.
    seen: u128,
}

impl<'a, A> Members<'a, A> {
    fn new(map: A, shape: Shape, left: &'a Cell<u32>) -> Self {
        Self {
            map: Some(map),
            shape,
            left,
            seen: 0,
        }
    }

    /// Whether a member comes for the first time.
    fn is_new(&mut self, number: usize) -> bool {
        let bit = u32::try_from(number)
            .ok()
            .and_then(|n| 1_u128.checked_shl(n));
        let bit = bit.unwrap_or_default();
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<Option<S::Value>, A::Error> {
        let Shape { fields, with_gaps } = self.shape;
        let name = |number: usize| fields.get(number).copied().unwrap_or_default();
        while let Some(map) = &mut self.map {
            match map.next_key_seed(Name(fields))? {
                Some(Some(number)) => {
                    if !self.is_new(number) {
                        let name = name(number);
                        return Err(A::Error::custom(format_args!(
                            "member `{name}` is there twice"
                        )));
                    }
                    let name = BorrowedStrDeserializer::new(name(number));
                    return seed.deserialize(name).map(Some);
                }
                Some(None) => drop(map.next_value::<IgnoredAny>()?),
                None => self.map = None,
            }
        }
        if !with_gaps {
            return Ok(None);
        }
        match (0..fields.len()).find(|number| self.is_new(*number)) {
            Some(number) => seed
                .deserialize(BorrowedStrDeserializer::new(name(number)))
                .map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<S::Value, A::Error> {
        let left = self.left;
        match &mut self.map {
            Some(map) => map.next_value_seed(AsGo { seed, left }),
            None => {
                let inner = UnitDeserializer::new();
                seed.deserialize(Go { inner, left })
            }
        }
    }
}

/// The entries of a map, whose names are the stranger's own: as they are, each once.
struct Entries<'a, A> {
    map: A,
    left: &'a Cell<u32>,
    seen: BTreeSet<String>,
}

impl<'a, A> Entries<'a, A> {
    fn new(map: A, left: &'a Cell<u32>) -> Self {
        Self {
            map,
            left,
            seen: BTreeSet::new(),
        }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<Option<S::Value>, A::Error> {
        let Some(name) = self.map.next_key::<String>()? else {
            return Ok(None);
        };
        if !self.seen.insert(name.clone()) {
            let name: String = name.chars().take(80).collect();
            return Err(A::Error::custom(format_args!("{name:?} is there twice")));
        }
        seed.deserialize(StringDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<S::Value, A::Error> {
        let left = self.left;
        self.map.next_value_seed(AsGo { seed, left })
    }
}

#[cfg(test)]
mod tests;
