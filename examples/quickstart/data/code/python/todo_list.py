"""A to-do list that can be saved as text and read again."""

from dataclasses import dataclass


@dataclass
class Task:
    """Something to do, perhaps done already."""

    title: str
    done: bool = False
    priority: int = 0

    def to_line(self) -> str:
        """Write the task on one line.

        >>> Task("water the plants", priority=2).to_line()
        '[ ] !! water the plants'
        """
        mark = "x" if self.done else " "
        urgency = "!" * self.priority + " " if self.priority else ""
        return f"[{mark}] {urgency}{self.title}"

    @classmethod
    def from_line(cls, line: str) -> "Task":
        """Read a task written by to_line.

        >>> Task.from_line("[x] call the dentist")
        Task(title='call the dentist', done=True, priority=0)
        """
        done = line.startswith("[x]")
        rest = line[4:]
        title = rest.lstrip("!")
        return cls(title.strip(), done, len(rest) - len(title))


class TodoList:
    """Tasks in the order in which they were added."""

    def __init__(self, tasks: list[Task] | None = None) -> None:
        self.tasks = tasks or []

    def add(self, title: str, priority: int = 0) -> Task:
        """Create a task and put it at the end."""
        task = Task(title, priority=priority)
        self.tasks.append(task)
        return task

    def open_tasks(self) -> list[Task]:
        """Return what is left to do, the most urgent first."""
        waiting = [task for task in self.tasks if not task.done]
        return sorted(waiting, key=lambda task: -task.priority)

    def save(self) -> str:
        """Return the whole list as text."""
        return "\n".join(task.to_line() for task in self.tasks)

    @classmethod
    def load(cls, text: str) -> "TodoList":
        """Read a list that save has written."""
        return cls([Task.from_line(line) for line in text.splitlines() if line])
