package example;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.tools.ToolProvider;

/** A version of a tool, ready to be called: its code has a class {@code Tool} with a method. */
final class LoadedTool {
  private final Method execute;

  /** Compile the code, and load it beside every other version. */
  LoadedTool(String code) throws IOException, ReflectiveOperationException {
    Path folder = Files.createTempDirectory("rollguard-tool-");
    folder.toFile().deleteOnExit(); // what is named last goes first: its files
    Path source = Files.writeString(folder.resolve("Tool.java"), code);
    String[] arguments = {"-d", folder.toString(), source.toString()};
    if (ToolProvider.getSystemJavaCompiler().run(null, null, null, arguments) != 0) {
      throw new ClassNotFoundException("the code does not compile");
    }
    for (File each : folder.toFile().listFiles()) {
      each.deleteOnExit();
    }
    // Not closed: the code may load its other classes later.
    URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()});
    execute = loader.loadClass("Tool").getDeclaredMethod("execute", String.class);
    execute.setAccessible(true);
  }

  /** Return the result of the tool, or throw what the tool throws. */
  Object call(String text) throws Throwable {
    try {
      return execute.invoke(null, text);
    } catch (InvocationTargetException failed) {
      throw failed.getCause();
    }
  }
}
