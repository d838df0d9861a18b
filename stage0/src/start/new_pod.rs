//! From what is asked of a new pod to one that runs.

use engine::Error;
use engine::pods::prepare::prepare;
use engine::pods::spec::PodSpec;
use pod::activation::ActivationSockets;
use pod::manifest::Streams;

use super::uuid_file::UuidFile;
use super::{handover, service};
use crate::arguments::pod::UuidPlace;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// How a pod that is made is run.
pub(crate) struct Run {
    /// What is asked of it.
    pub(crate) spec: PodSpec,
    /// Whether it runs in the background.
    pub(crate) detach: bool,
    /// Where its UUID is written to.
    pub(crate) uuid_file: Option<UuidPlace>,
    /// The sockets that its apps get.
    pub(crate) sockets: ActivationSockets,
}

impl Run {
    /// Makes the pod and becomes its monitor, or has another process become it. `refused` is asked about what stands in the
    /// way; where it says nothing against it, it is tried again.
    ///
    /// # Errors
    /// Why the pod did not start; nothing of it is left then.
    pub(crate) fn run(
        self,
        context: &Context,
        mut refused: impl FnMut(&PodSpec, Error) -> Result<(), Failure>,
    ) -> Result<u8, Failure> {
        let Self {
            mut spec,
            detach,
            uuid_file,
            sockets,
        } = self;
        spec.streams = match detach {
            true => Streams::Log,
            false => Streams::Foreground,
        };
        spec.manager = Some(service::manager().cloned().unwrap_or_default());
        let uuid_file = UuidFile::save_if_wanted(uuid_file, spec.uuid)?;
        let prepared = loop {
            match prepare(&context.engine, &spec, &sockets, &context.console) {
                Ok(prepared) => break prepared,
                Err(error) => refused(&spec, error)?,
            }
        };
        let (pod, stage1) = (prepared.pod, prepared.stage1);
        // The pin ends with this process image, or with this call: the pod is on record by then.
        let _pin = prepared.pin;
        let result = handover::hand_over(pod, &stage1, context, sockets, detach);
        if let (Err(failure), Some(doubt)) = (&result, &context.doubt)
            && matches!(failure.exit_code(), 119 | 126 | 127)
        {
            output::warn(doubt);
        }
        if let Some(file) = uuid_file
            && (result.is_ok() || !matches!(context.engine.pods().by_uuid(spec.uuid), Ok(None)))
        {
            file.keep();
        }
        result
    }
}
