"""What others hold."""


def no_locks_on_things(onlooker):
    async def ask() -> bool:
        question = (
            "SELECT count(*) = 0 FROM pg_locks WHERE relation = 'things'::regclass AND pid <> pg_backend_pid()"
        )
        return await onlooker.fetchval(question)

    return ask
