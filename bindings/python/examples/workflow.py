"""A workflow: its steps survive the death of the process, and its waits hold nothing.

It prints:

    try 1 of the oven
    try 2 of the oven
    cakes for ada, bob
    the bell has rung: ready
    [3, 3]
    bake: Success, 2 tries
"""

import asyncio
import sys

import pgqrs

tries = 0


@pgqrs.step(retries=pgqrs.StepRetryPolicy(3, pgqrs.BackoffStrategy.fixed(0.05)))
async def bake(run: pgqrs.Run) -> str:
    global tries
    tries += 1
    print(f"try {tries} of the oven")
    if tries < 2:
        raise OSError("the oven is cold")  # The run waits for the next try, and holds nothing.
    return "cakes"


@pgqrs.step
async def wrap(run: pgqrs.Run, guest: str) -> int:
    return len(guest)


@pgqrs.workflow(name="party")
async def party(run: pgqrs.Run, guests: list[str]) -> list[int]:
    cakes = await bake(run)
    await run.sleep(0.05)
    bell = await run.wait_event("bell", timeout=60)
    print(f"{cakes} for {', '.join(guests)}")
    print(f"the bell has rung: {bell}")
    return await asyncio.gather(*(wrap(run, guest) for guest in guests))


async def main(dsn: str) -> None:
    async with await pgqrs.connect(dsn) as store:
        run = await store.trigger(party, ["ada", "bob"], idempotency_key="today")
        async with pgqrs.WorkflowWorker(store, [party], concurrency=4):
            await store.send_event(run, "bell", "ready")
            print(await run.result(timeout=60))
        first, *_ = await (await store.get_workflow_steps()).list(run_id=run.id())
        print(f"{first.step_name}: {first.status.name}, {first.attempts} tries")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
