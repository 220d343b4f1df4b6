"""The drivers of a VEN session: :mod:`.on_anyio` (asyncio and trio), :mod:`.on_trio`, and :mod:`.on_threads`.

Each is a pump over the same ports and stands alone, so that it needs nothing but its own loop. What they do alike is in
:mod:`.pilot`.
"""
