"""One revision: its instances, and which of them serves which request.

Requests wait here while instances start, and are refused here when none can be had.
"""

import asyncio
import contextlib
import math
from collections import deque

from localcloud.run.instance import Instance, Reason, StartFailed
from localcloud.run.refusal import NO_INSTANCE, NOT_STARTED, Refusal
from localcloud.run.region import Region
from localcloud.run.template import Template


class Revision:
    """Instances that start, serve and end by themselves once `launch` has brought up the first."""

    def __init__(self, region: Region, service: str, name: str, template: Template) -> None:
        self.name = name
        self.service = service
        self.template = template
        self.instances: list[Instance] = []  # ready to serve, oldest first
        self._region = region
        self._starting: dict[asyncio.Task[None], Instance] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._waiting: deque[asyncio.Future[Instance]] = deque()
        self._idle_timers: dict[Instance, asyncio.TimerHandle] = {}
        self._idle = asyncio.Event()
        self._startup_seconds: deque[float] = deque(maxlen=20)
        self._draining = self._closing = False

    async def launch(self) -> None:
        """The first instance; raises StartFailed. The rest of minInstanceCount follows in the background."""
        instance = self._new_instance()
        await self._bring_up(instance, "DEPLOYMENT_ROLLOUT")
        self._keep(asyncio.create_task(self._see_out(instance)))
        self._keep_minimum()

    async def acquire(self) -> Instance:
        """An instance with room, its slot taken until `release`. Raises Refusal: 429 at the maximum, 500 if none starts."""
        if not self._waiting and (instance := self._with_room()):
            instance.enter()
            return instance
        turn: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._scale_out()
        try:
            await asyncio.wait({turn}, timeout=self._patience())
        except asyncio.CancelledError:
            if not turn.cancel() and not turn.exception():
                self.release(turn.result())
            raise
        if turn.cancel():
            raise Refusal(NO_INSTANCE)
        return turn.result()

    def release(self, instance: Instance) -> None:
        instance.leave()
        self._hand_out()
        if instance.active == 0:
            self._start_idling(instance)

    async def drain(self) -> None:
        """Let the requests at hand finish, at most as long as their timeout, then end every instance."""
        self._draining = True
        if self._waiting or any(instance.active for instance in self.instances):
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self.template.timeout)
        await self.close()

    async def close(self) -> None:
        """End every instance: SIGTERM, the grace period, SIGKILL."""
        self._draining = self._closing = True
        self._idle.set()
        for task in self._starting:
            task.cancel()
        for timer in self._idle_timers.values():
            timer.cancel()
        await asyncio.gather(*(instance.stop() for instance in self.instances))
        await asyncio.gather(*self._lives, return_exceptions=True)

    def _with_room(self) -> Instance | None:
        """The oldest instance with room, so that the others fall idle and end."""
        limit = self.template.concurrency
        return next((i for i in self.instances if i.active < limit and not i.stopping), None)

    def _hand_out(self) -> None:
        while self._waiting and (instance := self._with_room()):
            turn = self._waiting.popleft()
            if not turn.done():
                instance.enter()
                turn.set_result(instance)
        if not self._waiting and not any(instance.active for instance in self.instances):
            self._idle.set()

    def _patience(self) -> float:
        options = self._region.options
        seconds = self._startup_seconds
        average = sum(seconds) / len(seconds) if seconds else 0.0
        return max(options.pending_floor, options.pending_factor * average)

    def _scale_out(self) -> None:
        self._waiting = deque(turn for turn in self._waiting if not turn.done())
        wanted = math.ceil(len(self._waiting) / self.template.concurrency)
        room = self.template.max_instances - len(self.instances)
        for _ in range(min(wanted, room) - len(self._starting)):
            self._start("AUTOSCALING")

    def _keep_minimum(self) -> None:
        have = len(self.instances) + len(self._starting)
        if self._draining:
            return
        for _ in range(self.template.min_instances - have):
            self._start("MANUAL_OR_CUSTOMER_MIN_INSTANCE")

    def _start(self, reason: Reason) -> None:
        if self._closing:
            return
        instance = self._new_instance()
        task = asyncio.create_task(self._live(instance, reason))
        self._starting[task] = instance
        self._keep(task)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    def _new_instance(self) -> Instance:
        return Instance(self._region, self.service, self.name, self.template)

    async def _live(self, instance: Instance, reason: Reason) -> None:
        task = asyncio.current_task()
        assert task
        try:
            await self._bring_up(instance, reason)
        except StartFailed:
            del self._starting[task]
            self._give_up()
            return
        except asyncio.CancelledError:
            del self._starting[task]
            raise
        del self._starting[task]
        await self._see_out(instance)

    async def _bring_up(self, instance: Instance, reason: Reason) -> None:
        began = asyncio.get_running_loop().time()
        with instance.cpu():
            await instance.start(reason)
            self._startup_seconds.append(asyncio.get_running_loop().time() - began)
            self.instances.append(instance)
            self._hand_out()
        if instance.active == 0:
            self._start_idling(instance)

    async def _see_out(self, instance: Instance) -> None:
        await instance.ended()
        self.instances.remove(instance)
        if timer := self._idle_timers.pop(instance, None):
            timer.cancel()
        self._scale_out()
        self._keep_minimum()

    def _give_up(self) -> None:
        """Nothing serves and nothing is on its way: whoever waits is told so."""
        if self.instances or self._starting:
            return
        for turn in self._waiting:
            if not turn.done():
                turn.set_exception(Refusal(NOT_STARTED))
        self._waiting.clear()
        self._idle.set()

    def _start_idling(self, instance: Instance) -> None:
        if timer := self._idle_timers.pop(instance, None):
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._idle_timers[instance] = loop.call_later(
            self._region.options.idle_timeout, self._end_if_idle, instance
        )

    def _end_if_idle(self, instance: Instance) -> None:
        serving = [other for other in self.instances if not other.stopping]
        if instance.active == 0 and instance in serving and len(serving) > self.template.min_instances:
            instance.stopping = True
            self._keep(asyncio.create_task(instance.stop()))
