//! What `null` is read as.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess};

/// A list or an object without anything in it.
pub(super) struct Nothing<E>(pub(super) PhantomData<E>);

impl<'de, E: Error> SeqAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _seed: S,
    ) -> std::result::Result<Option<S::Value>, E> {
        Ok(None)
    }
}

impl<'de, E: Error> MapAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _seed: S,
    ) -> std::result::Result<Option<S::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _seed: S,
    ) -> std::result::Result<S::Value, E> {
        Err(E::custom("there is no value"))
    }
}
