"""Other routers under the same traffic: `mediarouter bench peers`. What is needed for each stands in bench/peers."""
